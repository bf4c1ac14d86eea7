"""An index of the departments below one: a chain of 5,000 departments took seconds for each page."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_index_manager

ID = "2026-11-30T20:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Departments below one"

INDEXES = {"departments_parent": "ON departments (portal_id, parent_id)"}


async def forwards() -> MigrationManager:
    """Build the index while other processes write departments."""
    return make_index_manager(ID, DESCRIPTION, INDEXES)
