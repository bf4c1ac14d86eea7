"""The portal's own code for the app, which links to a view need."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-27T16:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Code of the app"

STATEMENTS = ("ALTER TABLE portals ADD COLUMN app_code TEXT NOT NULL DEFAULT ''",)


async def forwards() -> MigrationManager:
    """Add the column; the daily check of each portal fills it."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
