"""Whether a portal answers us, its license, and the time when both were last checked."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-27T10:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "States of a portal"

STATEMENTS = (
    "ALTER TABLE portals ADD COLUMN contact_state TEXT NOT NULL DEFAULT 'ok'",
    "ALTER TABLE portals ADD COLUMN contact_failures INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE portals ADD COLUMN contact_retry_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE portals ADD COLUMN contact_since BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE portals ADD COLUMN license_ends_at BIGINT",
    "ALTER TABLE portals ADD COLUMN is_license_over BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE portals ADD COLUMN checked_at BIGINT NOT NULL DEFAULT 0",
)


async def forwards() -> MigrationManager:
    """Add the columns; a portal counts as fine until it refuses."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
