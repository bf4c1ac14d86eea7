"""Piccolo's PostgreSQL engine, told to open no connection before the loop runs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace

from piccolo.engine.postgres import PostgresEngine

POOL_SIZE = 10
STATEMENT_TIMEOUT_S = 60
VACUUM_TIMEOUT_S = 3600


class PooledPostgresEngine(PostgresEngine):
    """The engine with its pool; `open` before the first query, `close` when done."""

    def __init__(self, dsn: str) -> None:
        settings = {"synchronous_commit": "on", "timezone": "UTC", "application_name": "callbook"}
        super().__init__(
            config={"dsn": dsn, "server_settings": settings, "command_timeout": STATEMENT_TIMEOUT_S}
        )

    async def check_version(self) -> None:
        """Piccolo would connect here, in a thread of its own; the pool says soon enough when it cannot."""

    async def open(self) -> None:
        """Start the pool; raises what asyncpg raises when the server cannot be reached."""
        await self.start_connection_pool(min_size=1, max_size=POOL_SIZE)

    async def close(self) -> None:
        """Close the pool once every query has ended."""
        if self.pool:
            await self.close_connection_pool()

    async def vacuum(self, tables: Sequence[str]) -> None:
        """Remove the dead rows of these tables; it reads all of them, and hinders no other statement."""
        if self.pool is None:
            raise ConnectionError("the database is closed")
        await self.pool.execute(f"VACUUM {', '.join(tables)}", timeout=VACUUM_TIMEOUT_S)

    @asynccontextmanager
    async def immediate_transaction(self) -> AsyncIterator[None]:
        """One transaction; all queries of this task inside take part in it.

        Not Piccolo's own: when a commit fails, that one never gives its connection back to the pool.
        """
        if self.current_transaction.get() is not None:
            yield
            return
        if self.pool is None:
            raise ConnectionError("the database is closed")
        async with self.pool.acquire() as connection, connection.transaction():
            token = self.current_transaction.set(SimpleNamespace(connection=connection))  # type: ignore[arg-type]
            try:
                yield
            finally:
                self.current_transaction.reset(token)
