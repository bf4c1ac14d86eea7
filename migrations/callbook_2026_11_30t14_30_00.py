"""An index of each portal's unconfirmed calls, oldest first: at the quota these are removed first."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_index_manager

ID = "2026-11-30T14:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Unconfirmed calls"

INDEXES = {"calls_unconfirmed": "ON calls (portal_id, id) WHERE NOT is_confirmed"}


async def forwards() -> MigrationManager:
    """Build the index while other processes write calls."""
    return make_index_manager(ID, DESCRIPTION, INDEXES)
