"""The statements that remove calls which a portal keeps no longer, portal first, in small steps.

Events get their turn between two steps, so that no event waits longer than one step takes.
"""

from piccolo.columns.combination import And

from app.calls.space.removal_queries import CALLS_A_STEP, NOTHING, Removed, remove_calls
from app.calls.tables import CallTable, UndecodableEventTable
from app.kit.storage.database import Database, patiently
from app.portals.settings.settings_queries import hold_settings


async def purge_some_calls(portal_id: int, now: int, database: Database) -> Removed:
    """Delete the oldest of the calls that the portal keeps no longer, with their legs; return the count.

    The row of the settings is locked. So a request that lengthens the time waits for the end of this step,
    and then causes the removed calls to be read again.
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
    """Delete the undecodable events that came before this moment; return how many."""
    is_old = UndecodableEventTable.received_at < before
    async with patiently(UndecodableEventTable):
        rows = await (
            UndecodableEventTable.delete()  # At once, because so few of a portal are kept.
            .where((UndecodableEventTable.portal_id == portal_id) & is_old)
            .returning(UndecodableEventTable.id)
        )
    return len(rows)
