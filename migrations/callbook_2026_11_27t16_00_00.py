"""By which code a portal knows the app: links to a view are made of it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-27T16:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Code of the app"

STATEMENT = "ALTER TABLE portals ADD COLUMN app_code TEXT NOT NULL DEFAULT ''"


async def forwards() -> MigrationManager:
    """Add the column; the daily look at a portal fills it."""
    manager = MigrationManager(migration_id=ID, app_name="callbook", description=DESCRIPTION)

    async def add() -> None:
        engine = engine_finder()
        if engine is None:
            raise RuntimeError("PICCOLO_CONF names no engine")
        await engine.run_ddl(STATEMENT)

    manager.add_raw(add)
    return manager
