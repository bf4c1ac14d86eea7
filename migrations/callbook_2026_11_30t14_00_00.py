"""The counts of each portal's stored rows, which are compared with its quotas."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T14:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Usage of portals"

STATEMENTS = (
    """CREATE TABLE portal_usage (
        portal_id BIGINT PRIMARY KEY, row_count BIGINT NOT NULL, text_bytes BIGINT NOT NULL,
        counted_at BIGINT NOT NULL, undecodable BIGINT NOT NULL DEFAULT 0, people BIGINT NOT NULL DEFAULT 0,
        views BIGINT NOT NULL DEFAULT 0, preferences BIGINT NOT NULL DEFAULT 0,
        requests BIGINT NOT NULL DEFAULT 0)""",
)


async def forwards() -> MigrationManager:
    """Add the table; the scheduler counts the rows that are already stored."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
