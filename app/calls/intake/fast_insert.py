"""The fast insert: one statement and one commit for a whole batch of events, nearly all of them new calls.

The statement itself reads state and token hash from the portals' rows, not from a cache, so no event is
stored after an uninstall. On PostgreSQL it also holds these rows (FOR SHARE, in one order), so an uninstall
waits for it; on SQLite there is one writer. It leaves out known calls and refused events; `arrivals.py` finds
which are which.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import asyncpg
import msgspec

from app.calls.intake.arrivals import Arrival
from app.calls.intake.intake_queries import POSTGRES_INSERT, make_sqlite_insert, values_of
from app.calls.store.known_calls import Key
from app.kit.storage.database import Database
from app.kit.storage.postgres_engine import PooledPostgresEngine
from app.kit.storage.sqlite_engine import KeptSQLiteEngine
from app.portals.news import Changes

STATEMENT_TIMEOUT_S = 15
CONNECT_TIMEOUT_S = 5
_encode = msgspec.json.Encoder().encode


class Inserter(Protocol):
    """Inserts batches of events."""

    async def insert(self, arrivals: Sequence[Arrival]) -> set[Key]:
        """Commit the batch, in which each key comes once. Returns the keys that were perhaps not inserted,
        because the call is known or the event refused.
        """
        ...

    async def execute(self, sql: str, *values: object) -> None:
        """Commit one small statement on the connection that inserts, so that it waits for no pool."""
        ...

    async def close(self) -> None:
        """Close the connection that inserts."""
        ...


def make_inserter(database: Database, changes: Changes) -> Inserter:
    """The inserter for the kind of database."""
    return SqliteInserter(database) if database.is_sqlite else PostgresInserter(database, changes)


class SqliteInserter:
    """Inserts by multi-row VALUES on the engine's writer: this takes half the time of json_each, and one call
    into the writer's thread.

    There is no RETURNING, because the driver takes the interpreter's lock again for each row, in the middle
    of the commit.
    """

    def __init__(self, database: Database) -> None:
        if not isinstance(database.engine, KeptSQLiteEngine):
            raise TypeError("this inserter is SQLite's")
        self._engine = database.engine
        self._statements: dict[int, str] = {}

    async def insert(self, arrivals: Sequence[Arrival]) -> set[Key]:
        """Commit the batch. Returns no key when every event was inserted, else all keys, because SQLite does
        not say which were inserted.
        """
        values = [value for arrival in arrivals for value in values_of(arrival)]
        if await self._execute(self._statement(len(arrivals)), values) == len(arrivals):
            return set()
        return {arrival.key for arrival in arrivals}

    async def execute(self, sql: str, *values: object) -> None:
        """Commit a statement on the writer."""
        await self._execute(sql, values)

    async def close(self) -> None:
        """Do nothing: the writer is the engine's."""

    async def _execute(self, sql: str, values: Sequence[object]) -> int:
        async with self._engine.write_lock:
            if self._engine.writer is None:
                raise ConnectionError("the database is closed")
            cursor = await (await self._engine.prepare_writer()).execute(sql, values)
        return cursor.rowcount

    def _statement(self, count: int) -> str:
        if count not in self._statements:
            self._statements[count] = make_sqlite_insert(count)
        return self._statements[count]


class PostgresInserter:
    """Inserts by a prepared statement on a connection of its own: the pool's reset would cost a round trip
    for each batch.

    The batch is one jsonb parameter. Compared with arrays and `unnest`, it costs the server the same,
    and this process a third.
    """

    def __init__(self, database: Database, changes: Changes) -> None:
        if not isinstance(database.engine, PooledPostgresEngine):
            raise TypeError("this inserter is PostgreSQL's")
        self._config = database.engine.config
        self._origin = changes.prefix
        self.connection: asyncpg.Connection | None = None
        self._statement: asyncpg.prepared_stmt.PreparedStatement | None = None

    async def insert(self, arrivals: Sequence[Arrival]) -> set[Key]:
        """Commit the batch; return the keys that it did not insert."""
        _, statement = await self._connected()
        payload = _encode([values_of(arrival) for arrival in arrivals]).decode()
        with self._giving_up():
            rows = await statement.fetch(payload, self._origin, timeout=STATEMENT_TIMEOUT_S)
        return {(row["portal_id"], row["call_id"]) for row in rows}

    async def execute(self, sql: str, *values: object) -> None:
        """Commit a statement on this connection, or on a new one if it is lost."""
        connection, _ = await self._connected()
        with self._giving_up():
            await connection.execute(sql, *values, timeout=STATEMENT_TIMEOUT_S)

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Close the connection when its driver no longer knows the state of the protocol; the next statement
        opens another one.
        """
        try:
            yield
        except asyncpg.InternalClientError:
            if self.connection is not None:
                self.connection.terminate()
            raise

    async def close(self) -> None:
        """Close the connection."""
        connection, self.connection, self._statement = self.connection, None, None
        if connection is not None:
            await connection.close(timeout=STATEMENT_TIMEOUT_S)

    async def _connected(self) -> tuple[asyncpg.Connection, asyncpg.prepared_stmt.PreparedStatement]:
        if self.connection is None or self._statement is None or self.connection.is_closed():
            if self.connection is not None:
                self.connection.terminate()
            self.connection = await asyncpg.connect(**self._config, timeout=CONNECT_TIMEOUT_S)
            self._statement = await self.connection.prepare(POSTGRES_INSERT)
        return self.connection, self._statement
