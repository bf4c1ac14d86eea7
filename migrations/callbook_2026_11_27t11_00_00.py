"""The backlog of requests at each portal, for the rate bucket that all processes share."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-27T11:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Rate buckets"

STATEMENTS = (
    """CREATE TABLE rate_buckets (
        member_id TEXT PRIMARY KEY, backlog_ms BIGINT NOT NULL, at_ms BIGINT NOT NULL)""",
)


async def forwards() -> MigrationManager:
    """Create the table."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
