"""The statements that remove what a portal no longer wants kept, portal first, in small steps.

Between two steps events get their turn, so that none waits longer than one of them takes.
"""

from piccolo.columns.combination import And

from app.calls.tables import CallTable, UndecodableEventTable
from app.kit.database import Database
from app.kit.rows import encode_rows, rows_source
from app.portals.settings_queries import hold_settings

CALLS_A_STEP = 300


async def purge_some_calls(portal_id: int, now: int, database: Database) -> int:
    """Delete the oldest of the calls that the portal keeps no longer, and their legs; how many, 0 if none.

    The settings are held: who lengthens the time meanwhile finds gone, and has read anew, what this removes.
    Calls are held in the order in which `writes.load_calls` holds them, or the two might wait for each other.
    """
    async with database.transaction():
        before = (await hold_settings(portal_id, database)).kept_from(now)
        if before is None:
            return 0
        is_old = (CallTable.portal_id == portal_id) & (CallTable.started_at < before)
        oldest = CallTable.select(CallTable.id).where(is_old).order_by(CallTable.started_at)
        query = (
            CallTable.select(CallTable.id, CallTable.call_id)
            .where(And(is_old, CallTable.id.is_in(oldest.limit(CALLS_A_STEP))))
            .order_by(CallTable.call_id)
        )
        rows = await (query if database.is_sqlite else query.lock_rows("UPDATE"))
        if not rows:
            return 0
        legs = rows_source(database, {"portal_id": "bigint", "call_id": "text"})
        await database.run(
            "DELETE FROM call_legs WHERE (portal_id, call_id) IN"  # noqa: S608  Our own column names only.
            f" (SELECT portal_id, call_id FROM {legs} k)",
            encode_rows((portal_id, row["call_id"]) for row in rows),
        )
        calls = rows_source(database, {"portal_id": "bigint", "id": "bigint"})
        await database.run(
            f"DELETE FROM calls WHERE (portal_id, id) IN (SELECT portal_id, id FROM {calls} k)",  # noqa: S608
            encode_rows((portal_id, row["id"]) for row in rows),
        )
    return len(rows)


async def purge_undecodable(portal_id: int, before: int) -> int:
    """Delete the undecodable events that came before; how many."""
    is_old = UndecodableEventTable.received_at < before
    rows = await (
        UndecodableEventTable.delete()
        .where((UndecodableEventTable.portal_id == portal_id) & is_old)
        .returning(UndecodableEventTable.id)
    )
    return len(rows)
