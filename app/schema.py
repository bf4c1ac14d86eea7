"""The schema's version: brought up to date by `migrate` and `serve`, only checked by `web` and
`scheduler`.
"""

import contextlib
import io
import os
import sys
from collections.abc import AsyncIterator

from piccolo.apps.migrations.commands.forwards import run_forwards
from piccolo.apps.migrations.tables import Migration

from app.kit.database import Database
from app.piccolo_app import MIGRATIONS

MIGRATION_LOCK = 0x_CA11_B00C  # PostgreSQL advisory lock: Piccolo's migrations take none.


class SchemaOutdatedError(Exception):
    """The database is older (or newer) than this code."""


async def migrate(database: Database) -> None:
    """Run every migration that has not run; two processes at once do it once."""
    _point_piccolo_at(database)
    async with _alone(database):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            result = await run_forwards(app_name="callbook")
    if not result.success:
        raise SchemaOutdatedError(f"the migration did not succeed: {result.message or said.getvalue()}")


async def check_schema(database: Database) -> None:
    """Raise SchemaOutdatedError unless exactly the migrations of this code have run."""
    Migration._meta.db = database.engine  # noqa: SLF001  Piccolo has no public way to bind a table.
    ran = await Migration.get_migrations_which_ran("callbook") if await Migration.table_exists().run() else []
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


def _point_piccolo_at(database: Database) -> None:
    from app import piccolo_conf  # noqa: PLC0415  Importing it reads DATABASE_URL, which may be wrong.

    os.environ["PICCOLO_CONF"] = "app.piccolo_conf"
    piccolo_conf.DB = database.engine
    Migration._meta.db = database.engine  # noqa: SLF001  As above.


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    path = list(sys.path)
    try:
        async with database.transaction():
            if not database.is_sqlite:
                await database.run("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
            yield
    finally:
        sys.path[:] = path  # Piccolo puts the folder of the migrations there.
