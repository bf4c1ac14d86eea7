"""The statements that erase, portal first."""

from app.calls.tables import CallLegTable, CallTable, StatisticsMarkTable, UndecodableEventTable

ROWS_A_STEP = 2_000


async def delete_some_calls(portal_id: int) -> bool:
    """Delete some of the portal's calls; False when there were none."""
    rows = await CallTable.raw(
        "DELETE FROM calls WHERE portal_id = {} AND id IN"
        " (SELECT id FROM calls WHERE portal_id = {} LIMIT {}) RETURNING id",
        *(portal_id, portal_id, ROWS_A_STEP),
    )
    return bool(rows)


async def delete_some_legs(portal_id: int) -> bool:
    """Delete some of the legs of the portal's calls; False when there were none."""
    rows = await CallLegTable.raw(
        "DELETE FROM call_legs WHERE portal_id = {} AND id IN"
        " (SELECT id FROM call_legs WHERE portal_id = {} LIMIT {}) RETURNING id",
        *(portal_id, portal_id, ROWS_A_STEP),
    )
    return bool(rows)


async def delete_undecodable_events(portal_id: int) -> None:
    """Delete what was kept undecoded."""
    await UndecodableEventTable.delete().where(UndecodableEventTable.portal_id == portal_id)


async def delete_mark(portal_id: int) -> None:
    """Delete how far the statistics have been read."""
    await StatisticsMarkTable.delete().where(StatisticsMarkTable.portal_id == portal_id)
