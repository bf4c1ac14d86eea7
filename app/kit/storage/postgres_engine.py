"""Piccolo's PostgreSQL engine with a pool, and with no connection before the loop runs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import asyncpg
from piccolo.engine.postgres import PostgresEngine

from app.kit.fairness.places import Bounds
from app.kit.fairness.query_turns import QueryTooSlowError, QueryTurns

# One more than the places of all queues of QueryTurns: one connection is left for queries without a lane (of
# events).
POOL_SIZE = 12
OF_PORTALS = Bounds(overall=6, per_portal=3, per_user=2)
OF_BACKGROUND = Bounds(overall=3, per_portal=2, per_user=2)
OF_LASTING = Bounds(overall=2, per_portal=1, per_user=1)
STATEMENT_TIMEOUT_S = 60
VACUUM_TIMEOUT_S = 3600
VACUUM_LOCK_TIMEOUT_S = 10
LOCK_ASKED_EVERY_S = 0.5
IS_INVALID = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
SETTINGS = {"synchronous_commit": "on", "timezone": "UTC", "application_name": "callbook"}


class PooledPostgresEngine(PostgresEngine):
    """The engine with its pool; `open` before the first query, `close` when done."""

    def __init__(self, dsn: str) -> None:
        super().__init__(
            config={"dsn": dsn, "server_settings": SETTINGS, "command_timeout": STATEMENT_TIMEOUT_S}
        )
        self._dsn = dsn
        self._vacuuming = asyncio.Lock()
        self.turns = QueryTurns(OF_PORTALS, OF_BACKGROUND, OF_LASTING)

    async def check_version(self) -> None:
        """Do nothing. Piccolo's own check would connect, in a thread; `open` finds an unreachable server."""

    async def open(self) -> None:
        """Start the pool; raises asyncpg's errors when the server cannot be reached."""
        self.turns = QueryTurns(OF_PORTALS, OF_BACKGROUND, OF_LASTING)
        await self.start_connection_pool(min_size=1, max_size=POOL_SIZE)

    async def close(self) -> None:
        """Close the pool once every query has ended."""
        if self.pool:
            await self.close_connection_pool()

    def stop_waiting(self) -> None:
        """End the waits of users for a connection, because this process ends."""
        self.turns.stop()

    async def _run_in_pool(self, query: str, args: Sequence[Any] | None = None) -> list[asyncpg.Record]:
        if self.pool is None:
            raise ConnectionError("the database is closed")
        async with self.turns.take() as limit_s, self.pool.acquire() as connection:
            try:
                rows: list[asyncpg.Record] = await connection.fetch(query, *(args or ()), timeout=limit_s)
            except TimeoutError as error:  # asyncpg has made the server end the query.
                raise QueryTooSlowError from error
            return rows

    async def vacuum(self, tables: Sequence[str]) -> bool:
        """Remove the dead rows of these tables. VACUUM reads whole tables and hinders no other statement.

        False when the caller must try again: this process has a VACUUM under way, or another session holds a
        table's lock for long. A VACUUM takes up to an hour, so it uses no connection of the pool. VACUUM
        (SKIP_LOCKED) is no choice, because its result would not tell whether it left a table out.
        """
        if self.pool is None:
            raise ConnectionError("the database is closed")
        if self._vacuuming.locked():
            return False
        async with self._vacuuming:
            return await self._vacuum_apart(f"VACUUM {', '.join(tables)}")

    async def _vacuum_apart(self, sql: str) -> bool:
        try:
            async with self._connect_apart(lock_timeout=f"{VACUUM_LOCK_TIMEOUT_S}s") as connection:
                await connection.execute(sql, timeout=VACUUM_TIMEOUT_S)
        except asyncpg.LockNotAvailableError:
            return False
        return True

    async def build_index(self, name: str, definition: str) -> None:
        """Build the index `name`, `ON table (columns)`, while others write to the table, without a time
        limit. An index that is already built stays; the remains of an interrupted attempt are dropped and
        built again.
        """
        async with self._connect_apart(statement_timeout="0", lock_timeout="0") as connection:
            if await connection.fetchval(IS_INVALID, name):
                await connection.execute(f"DROP INDEX CONCURRENTLY {name}")
            await connection.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} {definition}")

    @asynccontextmanager
    async def hold_lock(self, number: int) -> AsyncIterator[None]:
        """Wait for this advisory lock, which one process at a time has, and hold it while inside.

        This process asks again and again, by short statements and in no transaction. One statement that
        waited for the lock would itself keep the lock's holder waiting: a process that builds an index waits
        for every older statement.
        """
        async with self._connect_apart() as connection:
            # No event tells of another process's lock.
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", number):  # noqa: ASYNC110
                await asyncio.sleep(LOCK_ASKED_EVERY_S)
            yield

    @asynccontextmanager
    async def _connect_apart(self, **settings: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside of the pool, without a time limit for its statements."""
        connection = await asyncpg.connect(self._dsn, server_settings=SETTINGS | settings)
        try:
            yield connection
        finally:
            await connection.close(timeout=STATEMENT_TIMEOUT_S)

    @asynccontextmanager
    async def immediate_transaction(self) -> AsyncIterator[None]:
        """One transaction; all queries of this task inside take part in it.

        Piccolo's own transaction would never give its connection back to the pool after a failed commit.
        """
        if self.current_transaction.get() is not None:
            yield
            return
        if self.pool is None:
            raise ConnectionError("the database is closed")
        async with self.turns.take(), self.pool.acquire() as connection, connection.transaction():
            token = self.current_transaction.set(SimpleNamespace(connection=connection))  # type: ignore[arg-type]
            try:
                yield
            finally:
                self.current_transaction.reset(token)
