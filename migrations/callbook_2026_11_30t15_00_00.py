"""The counts of each portal's departments and memberships, which have quotas like its people."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T15:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Usage of departments"

STATEMENTS = (
    "ALTER TABLE portal_usage ADD COLUMN departments BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE portal_usage ADD COLUMN memberships BIGINT NOT NULL DEFAULT 0",
)


async def forwards() -> MigrationManager:
    """Add the columns; the next count fills them."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
