"""The statements that erase, portal first, in steps; False when none is left."""

from app.calls.tables import CallLegTable, CallTable, StatisticsMarkTable, UndecodableEventTable
from app.kit.deleting import delete_some


async def delete_some_calls(portal_id: int) -> bool:
    """Delete some of the portal's calls."""
    return await delete_some(CallTable, CallTable.portal_id == portal_id)


async def delete_some_legs(portal_id: int) -> bool:
    """Delete some of the legs of the portal's calls."""
    return await delete_some(CallLegTable, CallLegTable.portal_id == portal_id)


async def has_calls(portal_id: int) -> bool:
    """Whether a call or a leg of the portal is stored."""
    return await CallTable.exists().where(
        CallTable.portal_id == portal_id
    ) or await CallLegTable.exists().where(CallLegTable.portal_id == portal_id)


async def delete_some_undecodable_events(portal_id: int) -> bool:
    """Delete some of what was kept undecoded."""
    return await delete_some(UndecodableEventTable, UndecodableEventTable.portal_id == portal_id)


async def delete_mark(portal_id: int) -> bool:
    """Delete how far the statistics have been read."""
    return await delete_some(StatisticsMarkTable, StatisticsMarkTable.portal_id == portal_id)
