"""Calls that a portal deleted are told apart from calls that it never showed; rows take no values from
events.

Two columns go, before any release had them: the facts that a row had told, and a sum of costs that nothing
read.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T22:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Calls that are gone"

STATEMENTS = (
    "ALTER TABLE calls ADD COLUMN is_gone BOOLEAN NOT NULL DEFAULT FALSE",
    """UPDATE calls SET is_gone = TRUE WHERE NOT is_confirmed AND EXISTS (SELECT 1 FROM call_legs l
        WHERE l.portal_id = calls.portal_id AND l.call_id = calls.call_id AND l.gone_at IS NOT NULL)""",
    "ALTER TABLE calls DROP COLUMN sum_cost_e4",
    "ALTER TABLE call_legs DROP COLUMN told",
)


async def forwards() -> MigrationManager:
    """Add the column, fill it from the stored legs, and drop the two others."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
