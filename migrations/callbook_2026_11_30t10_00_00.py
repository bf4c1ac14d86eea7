"""Installations whose event could not be verified when it came; they wait, as Bitrix24 never sends
it again.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T10:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Pending installations"

STATEMENTS = (
    """CREATE TABLE pending_installations (
        id {identity}, member_id TEXT NOT NULL, origin TEXT NOT NULL, sealed TEXT NOT NULL,
        received_at BIGINT NOT NULL, next_at BIGINT NOT NULL, attempts INTEGER NOT NULL,
        claimed_until BIGINT NOT NULL)""",
    "CREATE UNIQUE INDEX pending_installations_portal ON pending_installations (member_id, origin)",
    "CREATE INDEX pending_installations_origin ON pending_installations (origin)",
)


async def forwards() -> MigrationManager:
    """Create the table."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
