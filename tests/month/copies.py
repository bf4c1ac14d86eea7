"""A copy of a database, taken and put back while only the test is connected."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from app.kit.storage.database import Database

FILES = ("", "-wal")  # The third one, `-shm`, is made from these again.


class DatabaseCopy:
    """The copy of the database that the test itself has open; both kinds of database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        parts = urlsplit(database.url)
        self._name = parts.path.removeprefix("/")
        self._admin_url = database.url.replace(f"/{self._name}?", "/postgres?")

    async def make(self) -> None:
        """Take the copy."""
        await self._exchange("", "_copy")

    async def put_back(self) -> None:
        """Put the copy in the database's place."""
        await self._exchange("_copy", "")

    async def _exchange(self, source: str, target: str) -> None:
        await self._database.close()
        if self._database.is_sqlite:
            self._copy_files(source, target)
        else:
            await self._copy_on_server(f"{self._name}{source}", f"{self._name}{target}")
        await self._database.open()

    def _copy_files(self, source: str, target: str) -> None:
        path = Path(self._database.url.removeprefix("sqlite:///"))
        for ending in (*FILES, "-shm"):
            path.with_name(f"{path.name}{target}{ending}").unlink(missing_ok=True)
        for ending in FILES:
            found = path.with_name(f"{path.name}{source}{ending}")
            if found.exists():
                shutil.copy(found, path.with_name(f"{path.name}{target}{ending}"))

    async def _copy_on_server(self, source: str, target: str) -> None:
        connection = await asyncpg.connect(self._admin_url)
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", source
            )
            await connection.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
        finally:
            await connection.close()
