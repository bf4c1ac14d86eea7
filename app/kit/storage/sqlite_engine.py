"""Piccolo's SQLite engine with kept connections: one that writes, a few that read.

Piccolo opens a connection (and a thread) for each query, which costs five times as much as the query. Here
one connection writes, behind a lock, so that writes queue in the loop and not in SQLite's busy handler; reads
have connections of their own. Portals take turns at the lock. At most one user, one short background task and
one lasting background task wait for it or hold it. An event has no lane and waits for these three at most.
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

from app.kit.fairness.places import Bounds
from app.kit.fairness.query_turns import QueryTooSlowError, QueryTurns
from app.kit.private_files import make_private_file, make_private_folder, narrow
from app.kit.storage.light_commits import is_light

# One more than the places of all queues of QueryTurns: one connection is left for queries without a lane.
READERS = 11
OF_PORTALS = Bounds(overall=6, per_portal=2, per_user=1)  # A slow query keeps a core of the machine busy.
OF_BACKGROUND = Bounds(overall=2, per_portal=1, per_user=1)
OF_WRITES = Bounds(overall=1, per_portal=1, per_user=1)  # One transaction at a time can write.
INTERRUPT_EVERY_S = 0.02
FULL, LIGHT = "FULL", "NORMAL"  # The second loses acknowledged rows on a power cut.
CHECKPOINT_PAGES = 20_000
BUSY_TIMEOUT_S = 30
BESIDE = ("-wal", "-shm", "-journal")  # SQLite gives these the mode of the database's file.


def prepare_files(path: Path) -> None:
    """Make the database's files readable for their owner alone: a missing file is made, others are
    narrowed.
    """
    make_private_folder(path.parent)
    make_private_file(path)
    narrow(path.parent, [path, *(path.with_name(path.name + suffix) for suffix in BESIDE)])


class KeptSQLiteEngine(SQLiteEngine):
    """The engine; `open` before the first query, `close` when done, both in the loop that uses it."""

    def __init__(self, path: str) -> None:
        # No converters of declared types: they cost more than the query (an integer goes through Decimal).
        super().__init__(path=path, timeout=BUSY_TIMEOUT_S, detect_types=0, cached_statements=256)
        self.writer: aiosqlite.Connection | None = None
        self._level: str | None = None  # The writer's `synchronous`; None while it is being set.
        self.readers: asyncio.Queue[aiosqlite.Connection]
        self.write_lock: asyncio.Lock
        self._make_turns()

    def _make_turns(self) -> None:
        self.write_lock, self.readers = asyncio.Lock(), asyncio.Queue()
        self.turns = QueryTurns(OF_PORTALS, OF_BACKGROUND, OF_BACKGROUND)
        self.write_turns = QueryTurns(OF_WRITES, OF_WRITES, OF_WRITES, is_resting=True)

    async def open(self) -> None:
        """Create the file when there is none, and open the kept connections."""
        prepare_files(Path(self.path))
        self._make_turns()
        self.writer, self._level = await self.get_connection(), FULL
        for _ in range(READERS):
            reader = await self.get_connection()
            await reader.execute("PRAGMA query_only = 1")
            self.readers.put_nowait(reader)

    async def close(self) -> None:
        """Close every connection; all commits are in the file."""
        while not self.readers.empty():
            await self.readers.get_nowait().close()
        if self.writer is not None:
            await self.writer.close()
            self.writer = None

    def stop_waiting(self) -> None:
        """End the waits of users for a connection, because this process ends."""
        self.turns.stop()
        self.write_turns.stop()

    async def get_connection(self) -> aiosqlite.Connection:
        """A new connection with our settings; the caller closes it."""
        connection = await aiosqlite.connect(**self.connection_kwargs)
        try:
            await self._configure(connection)
        except BaseException:
            await connection.close()  # An open connection's thread would keep the process from ending.
            raise
        return connection

    @staticmethod
    async def _configure(connection: aiosqlite.Connection) -> None:
        connection.row_factory = dict_factory  # type: ignore[assignment]  # Piccolo wants dictionaries.
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {FULL}",
            "secure_delete = ON",  # Erased means overwritten in the file.
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        ):
            await connection.execute(f"PRAGMA {pragma}")

    async def empty_log(self) -> bool:
        """Move the write-ahead log into the file and empty it; False at once while a query reads from it.

        Uses a connection of its own that waits for no reader. If the writer did this, it would wait for the
        reader, and everybody would wait for the writer. The PASSIVE checkpoint does nearly all the work,
        while others commit.
        """
        self._check_open()
        connection = await self.get_connection()
        try:
            await connection.execute("PRAGMA busy_timeout = 0")
            await connection.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")
            async with self.write_lock:
                (answer,) = await self._fetch(connection, "PRAGMA wal_checkpoint(TRUNCATE)", None)
        finally:
            await connection.close()
        return not answer["busy"]

    @asynccontextmanager
    async def immediate_transaction(self) -> AsyncIterator[None]:
        """One write transaction; all queries of this task inside take part in it."""
        if self.current_transaction.get() is not None:
            yield
            return
        async with self.write_turns.take(), self.write_lock:
            writer = await self.prepare_writer()
            try:
                # Inside the `try`, because aiosqlite's thread begins the transaction even when the caller is
                # cancelled meanwhile. A transaction that nobody ends would be the writer's last.
                await writer.execute("BEGIN IMMEDIATE")
                with self._joined(writer):
                    yield
                await asyncio.shield(writer.commit())
            except BaseException:
                await asyncio.shield(writer.rollback())
                raise

    def _check_open(self) -> aiosqlite.Connection:
        if self.writer is None:
            raise sqlite3.OperationalError("the database is closed")
        return self.writer

    async def prepare_writer(self) -> aiosqlite.Connection:
        """The writer, set to the durability that the caller's commit needs; the caller holds `write_lock`."""
        writer, level = self._check_open(), LIGHT if is_light() else FULL
        if self._level != level:
            self._level = None
            await writer.execute(f"PRAGMA synchronous = {level}")
            self._level = level
        return writer

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
        async with self.write_turns.take(), self.write_lock:
            return await self._fetch(await self.prepare_writer(), query, args)

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
        self._check_open()
        async with self.turns.take() as limit_s:
            reader = await self.readers.get()
            try:
                return await self._fetch_in_time(reader, query, args, limit_s)
            finally:
                self.readers.put_nowait(reader)

    async def _fetch_in_time(
        self, reader: aiosqlite.Connection, query: str, args: Sequence[Any] | None, limit_s: float | None
    ) -> list[Any]:
        """The rows; raises QueryTooSlowError after `limit_s`.

        When no caller waits for the query any longer, it is interrupted; else the connection's thread would
        go on with it, and the connection would not be free.
        """
        try:
            async with asyncio.timeout(limit_s):
                return await self._fetch(reader, query, args)
        except TimeoutError as error:
            await _interrupt(reader)
            raise QueryTooSlowError from error
        except asyncio.CancelledError:
            await _interrupt(reader)
            raise

    async def _fetch(
        self, connection: aiosqlite.Connection, query: str, args: Sequence[Any] | None
    ) -> list[Any]:
        return list(await connection.execute_fetchall(query, args or ()))


async def _interrupt(connection: aiosqlite.Connection) -> None:
    """End the connection's running query; repeated, because an interrupt does not reach a query that has not
    begun yet.
    """
    following = asyncio.ensure_future(connection.execute_fetchall("SELECT 1"))
    while not following.done():
        await connection.interrupt()
        await asyncio.wait({following}, timeout=INTERRUPT_EVERY_S)
    following.exception()  # The interrupt may hit it too: its error is dropped.
