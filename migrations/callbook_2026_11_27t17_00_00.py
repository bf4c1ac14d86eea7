"""The time when a history was last opened to be read again: a limit on the token's owner that ends again and
again opens it once a day at most.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-27T17:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Reopened histories"

STATEMENTS = ("ALTER TABLE statistics_marks ADD COLUMN reopened_at BIGINT",)


async def forwards() -> MigrationManager:
    """Add the column."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
