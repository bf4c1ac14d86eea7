"""The statements that erase, portal first.

To have deleted no row does not mean that none is left: on PostgreSQL a statement that waited for another
eraser finds its rows gone, and that other one may have died before the rows after them.
"""

from app.calls.tables import CallLegTable, CallTable, StatisticsMarkTable, UndecodableEventTable

ROWS_A_STEP = 2_000


async def delete_some_calls(portal_id: int) -> bool:
    """Delete some of the portal's calls; False when none is left."""
    rows = await CallTable.raw(
        "DELETE FROM calls WHERE portal_id = {} AND id IN"
        " (SELECT id FROM calls WHERE portal_id = {} LIMIT {}) RETURNING id",
        *(portal_id, portal_id, ROWS_A_STEP),
    )
    return bool(rows) or await CallTable.exists().where(CallTable.portal_id == portal_id)


async def delete_some_legs(portal_id: int) -> bool:
    """Delete some of the legs of the portal's calls; False when none is left."""
    rows = await CallLegTable.raw(
        "DELETE FROM call_legs WHERE portal_id = {} AND id IN"
        " (SELECT id FROM call_legs WHERE portal_id = {} LIMIT {}) RETURNING id",
        *(portal_id, portal_id, ROWS_A_STEP),
    )
    return bool(rows) or await CallLegTable.exists().where(CallLegTable.portal_id == portal_id)


async def has_calls(portal_id: int) -> bool:
    """Whether a call or a leg of the portal is stored."""
    return await CallTable.exists().where(
        CallTable.portal_id == portal_id
    ) or await CallLegTable.exists().where(CallLegTable.portal_id == portal_id)


async def delete_undecodable_events(portal_id: int) -> None:
    """Delete what was kept undecoded."""
    await UndecodableEventTable.delete().where(UndecodableEventTable.portal_id == portal_id)


async def delete_mark(portal_id: int) -> None:
    """Delete how far the statistics have been read."""
    await StatisticsMarkTable.delete().where(StatisticsMarkTable.portal_id == portal_id)
