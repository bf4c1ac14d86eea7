"""Moving SQLite's write-ahead log into its file, beside the commits.

After 20,000 pages SQLite itself does this within a commit, and the requests of that commit wait (40 ms at a
million rows). A passive checkpoint on a connection of its own keeps nobody waiting. It runs so often that
SQLite finds little left to move.
"""

import asyncio

import structlog

from app.kit.storage.database import DATABASE_ERRORS, Database
from app.kit.storage.sqlite_engine import KeptSQLiteEngine

ROWS_BETWEEN = 2_000
log = structlog.get_logger(__name__)


class Checkpoints:
    """Begins a checkpoint after every ROWS_BETWEEN rows, one at a time; PostgreSQL does that by itself."""

    def __init__(self, database: Database) -> None:
        engine = database.engine
        self._engine = engine if isinstance(engine, KeptSQLiteEngine) else None
        self._rows = 0
        self._task: asyncio.Task[None] | None = None

    def note(self, rows: int) -> None:
        """Note that this many rows were committed, and begin a checkpoint if one is due."""
        self._rows += rows
        if self._engine and self._rows >= ROWS_BETWEEN and (self._task is None or self._task.done()):
            self._rows = 0
            self._task = asyncio.create_task(self.run(), name="checkpoint")

    async def run(self) -> None:
        """Move as much of the log as readers and the writer allow."""
        if self._engine is None:
            return
        try:
            connection = await self._engine.get_connection()
            try:
                await connection.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                await connection.close()
        except DATABASE_ERRORS as error:
            log.warning("log not moved into the file", error=type(error).__name__)

    async def stop(self) -> None:
        """Wait for the end of a checkpoint that runs."""
        if self._task is not None:
            await self._task
