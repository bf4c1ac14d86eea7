"""Piccolo's SQLite engine with kept connections: one that writes, a few that read.

Piccolo opens a connection (and a thread) for each query, which costs five times the query. Here writes
share one
connection behind a lock, so they queue in the loop rather than in SQLite's busy handler, and reads have
their own.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiosqlite
from piccolo.engine.sqlite import SQLiteEngine, dict_factory

READERS = 3
CHECKPOINT_PAGES = 20_000
BUSY_TIMEOUT_S = 30


class KeptSQLiteEngine(SQLiteEngine):
    """The engine; `open` before the first query, `close` when done, both in the loop that uses it."""

    def __init__(self, path: str) -> None:
        # No declared-type converters: they cost more than the query (an integer goes through Decimal).
        super().__init__(path=path, timeout=BUSY_TIMEOUT_S, detect_types=0, cached_statements=256)
        self.writer: aiosqlite.Connection | None = None
        self.readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self.write_lock = asyncio.Lock()

    async def open(self) -> None:
        """Create the file when there is none, and open the kept connections."""
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self.write_lock, self.readers = asyncio.Lock(), asyncio.Queue()
        self.writer = await self.get_connection()
        for _ in range(READERS):
            reader = await self.get_connection()
            await reader.execute("PRAGMA query_only = 1")
            self.readers.put_nowait(reader)

    async def close(self) -> None:
        """Close every connection; what is committed is in the file."""
        while not self.readers.empty():
            await self.readers.get_nowait().close()
        if self.writer is not None:
            await self.writer.close()
            self.writer = None

    async def get_connection(self) -> aiosqlite.Connection:
        """A new connection with our settings; the caller closes it."""
        connection = await aiosqlite.connect(**self.connection_kwargs)
        connection.row_factory = dict_factory  # type: ignore[assignment]  # Piccolo wants dictionaries.
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # NORMAL loses acknowledged rows on a power cut.
            "secure_delete = ON",  # Erased means overwritten in the file.
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        ):
            await connection.execute(f"PRAGMA {pragma}")
        return connection

    @asynccontextmanager
    async def immediate_transaction(self) -> AsyncIterator[None]:
        """One write transaction on the writer; all queries of this task inside take part in it."""
        if self.current_transaction.get() is not None:
            yield
            return
        async with self.write_lock:
            assert self.writer is not None, "the database is not open"  # noqa: S101  A programming error.
            await self.writer.execute("BEGIN IMMEDIATE")
            try:
                with self._joined(self.writer):
                    yield
                await asyncio.shield(self.writer.commit())
            except BaseException:
                await asyncio.shield(self.writer.rollback())
                raise

    @contextmanager
    def _joined(self, connection: aiosqlite.Connection) -> Iterator[None]:
        token = self.current_transaction.set(SimpleNamespace(connection=connection))  # type: ignore[arg-type]
        try:
            yield
        finally:
            self.current_transaction.reset(token)

    async def _run_in_new_connection(
        self,
        query: str,
        args: Sequence[Any] | None = None,
        query_type: str = "",  # noqa: ARG002  Piccolo's signature.
        table: object = None,  # noqa: ARG002
    ) -> list[Any]:
        if query.lstrip()[:6].upper() == "SELECT":
            return await self._read(query, args)
        async with self.write_lock:
            return await self._fetch(self.writer, query, args)

    async def _run_in_existing_connection(
        self,
        connection: aiosqlite.Connection,
        query: str,
        args: Sequence[Any] | None = None,
        query_type: str = "",  # noqa: ARG002  Piccolo's signature.
        table: object = None,  # noqa: ARG002
    ) -> list[Any]:
        return await self._fetch(connection, query, args)

    async def _read(self, query: str, args: Sequence[Any] | None) -> list[Any]:
        reader = await self.readers.get()
        try:
            return await self._fetch(reader, query, args)
        finally:
            self.readers.put_nowait(reader)

    async def _fetch(
        self, connection: aiosqlite.Connection | None, query: str, args: Sequence[Any] | None
    ) -> list[Any]:
        if connection is None:
            raise sqlite3.OperationalError("the database is closed")
        return list(await connection.execute_fetchall(query, args or ()))
