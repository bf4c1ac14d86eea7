"""Indexes of the legs that a read has to settle and of the rows that reads lack: no query walks all legs."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_index_manager

ID = "2026-11-30T18:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Unsettled legs"

INDEXES = {
    "call_legs_unsettled": (
        "ON call_legs (portal_id, call_id) WHERE statistics_id IS NULL OR gone_at IS NOT NULL"
    ),
    "call_legs_lacked": "ON call_legs (portal_id) WHERE lacked_at IS NOT NULL",
}


async def forwards() -> MigrationManager:
    """Build the two small indexes."""
    return make_index_manager(ID, DESCRIPTION, INDEXES)
