"""The times when a pair was stored and when one was last bought, so that no purchase depends on the portal's
word about its tokens.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T17:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Purchases of pairs"

STATEMENTS = (
    "ALTER TABLE portals ADD COLUMN pair_stored_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE portals ADD COLUMN pair_bought_at BIGINT NOT NULL DEFAULT 0",
    "UPDATE portals SET pair_stored_at = access_expires_at - 3600 WHERE access_expires_at > 3600",
)


async def forwards() -> MigrationManager:
    """Add the columns; the time of a stored pair follows from its expiry."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
