"""The statements that erase, portal first, in steps; each returns False when nothing is left."""

from app.calls.tables import (
    CallLegTable,
    CallOperatorTable,
    CallTable,
    StatisticsMarkTable,
    UndecodableEventTable,
)
from app.kit.storage.deletion import delete_some


async def delete_some_calls(portal_id: int) -> bool:
    """Delete some of the portal's calls."""
    return await delete_some(CallTable, CallTable.portal_id == portal_id)


async def delete_some_legs(portal_id: int) -> bool:
    """Delete some of the legs of the portal's calls."""
    return await delete_some(CallLegTable, CallLegTable.portal_id == portal_id)


async def delete_some_operators(portal_id: int) -> bool:
    """Delete some of the further operators of the portal's calls."""
    return await delete_some(CallOperatorTable, CallOperatorTable.portal_id == portal_id)


async def has_calls(portal_id: int) -> bool:
    """Whether a call of the portal, a leg or a further operator is stored."""
    for table in (CallTable, CallLegTable, CallOperatorTable):
        if await table.exists().where(table.portal_id == portal_id):
            return True
    return False


async def delete_some_undecodable_events(portal_id: int) -> bool:
    """Delete some of the portal's kept events that could not be decoded."""
    return await delete_some(UndecodableEventTable, UndecodableEventTable.portal_id == portal_id)


async def delete_mark(portal_id: int) -> bool:
    """Delete the mark of the portal's statistics."""
    return await delete_some(StatisticsMarkTable, StatisticsMarkTable.portal_id == portal_id)
