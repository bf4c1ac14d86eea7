"""The statements that remove what a portal no longer wants kept, portal first, in small steps.

Between two steps events get their turn, so that none waits longer than one of them takes.
"""

from piccolo.columns.combination import And

from app.calls.space.removal_queries import CALLS_A_STEP, NOTHING, Removed, remove_calls
from app.calls.tables import CallTable, UndecodableEventTable
from app.kit.storage.database import Database, patiently
from app.portals.settings.settings_queries import hold_settings


async def purge_some_calls(portal_id: int, now: int, database: Database) -> Removed:
    """Delete the oldest of the calls that the portal keeps no longer, and their legs.

    The settings are held: who lengthens the time meanwhile finds gone, and has read anew, what this removes.
    """
    async with database.patient_transaction():
        before = (await hold_settings(portal_id, database)).kept_from(now)
        if before is None:
            return NOTHING
        is_old = (CallTable.portal_id == portal_id) & (CallTable.started_at < before)
        oldest = CallTable.select(CallTable.id).where(is_old).order_by(CallTable.started_at)
        is_one = And(is_old, CallTable.id.is_in(oldest.limit(CALLS_A_STEP)))
        return await remove_calls(portal_id, is_one, database)


async def purge_undecodable(portal_id: int, before: int) -> int:
    """Delete the undecodable events that came before; how many."""
    is_old = UndecodableEventTable.received_at < before
    async with patiently(UndecodableEventTable):
        rows = await (
            UndecodableEventTable.delete()  # Of so few that are kept of a portal, at once.
            .where((UndecodableEventTable.portal_id == portal_id) & is_old)
            .returning(UndecodableEventTable.id)
        )
    return len(rows)
