"""The schema's version: `migrate` and `serve` bring it up to date, `web` and `scheduler` only check it."""

import contextlib
import io
import os
import sys
from collections.abc import AsyncIterator

import asyncpg
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager, run_forwards
from piccolo.apps.migrations.tables import Migration

from app.kit.storage.database import Database
from app.piccolo_app import MIGRATIONS

APP = "callbook"
ATTEMPTS = 10  # Of one migration, beside old code that writes all the time.
MIGRATION_LOCK = 0x_CA11_B00C  # PostgreSQL advisory lock: Piccolo's migrations take none.


class SchemaOutdatedError(Exception):
    """The database is older (or newer) than this code."""


async def migrate(database: Database) -> None:
    """Run every migration that has not run. When two processes do this at the same time, each migration still
    runs only once.

    A migration and Piccolo's note of it share one transaction, unless the migration can run in none. Raises
    SchemaOutdatedError when one fails.
    """
    point_piccolo_at(database)
    async with _alone(database):
        await Migration.create_table(if_not_exists=True)
        ran = set(await Migration.get_migrations_which_ran(APP))
        modules = ForwardsMigrationManager(APP).get_migration_modules(str(MIGRATIONS))
        for migration_id in sorted(modules.keys() - ran):
            manager = await modules[migration_id].forwards()
            await _apply(database, migration_id, is_whole=manager.wrap_in_transaction)


async def _apply(database: Database, migration_id: str, *, is_whole: bool) -> None:
    """Run the migration. Run it again if PostgreSQL ended it because of a deadlock with old code that still
    writes. Raises the error of the last attempt.
    """
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(asyncpg.DeadlockDetectedError):
            return await _attempt(database, migration_id, is_whole=is_whole)
    return await _attempt(database, migration_id, is_whole=is_whole)


async def _attempt(database: Database, migration_id: str, *, is_whole: bool) -> None:
    async with database.transaction() if is_whole else contextlib.nullcontext():
        await _run_one(migration_id)


async def _run_one(migration_id: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        result = await run_forwards(APP, migration_id)
    if not result.success:
        raise SchemaOutdatedError(f"the migration did not succeed: {result.message or said.getvalue()}")


async def check_schema(database: Database) -> None:
    """Raise SchemaOutdatedError unless exactly the migrations of this code have run."""
    Migration._meta.db = database.engine  # noqa: SLF001  Piccolo has no public way to bind a table.
    ran = await Migration.get_migrations_which_ran(APP) if await Migration.table_exists().run() else []
    if set(ran) != _list_migrations():
        raise SchemaOutdatedError(
            "the database schema is not this version's: run `python -m app migrate` first"
        )


def _list_migrations() -> set[str]:
    found = set()
    for path in MIGRATIONS.glob("callbook_*.py"):
        line = next(line for line in path.read_text().splitlines() if line.startswith("ID = "))
        found.add(line.split('"')[1])
    return found


def point_piccolo_at(database: Database) -> None:
    """Let Piccolo's own commands run on this database, with our configuration."""
    from app import piccolo_conf  # noqa: PLC0415  Importing it reads DATABASE_URL, which may be wrong.

    os.environ["PICCOLO_CONF"] = "app.piccolo_conf"
    piccolo_conf.DB = database.engine
    Migration._meta.db = database.engine  # noqa: SLF001  As above.


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    path = list(sys.path)
    try:
        async with database.alone(MIGRATION_LOCK):
            yield
    finally:
        sys.path[:] = path  # Piccolo puts the folder of the migrations there.
