"""Removing calls and their legs, portal first, in small steps; each returns how much room it made."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from piccolo.columns.combination import And, WhereRaw

from app.calls.space.sizes import TEXTS_OF_CALL, TEXTS_OF_LEG, Size, size_sql
from app.calls.tables import CallTable
from app.kit.storage.database import Database
from app.kit.storage.row_arrays import encode_rows, rows_from

CALLS_A_STEP = 25  # Each with up to 70 legs, and these with texts of 8,000 characters.


class Removed(NamedTuple):
    """How many calls were removed, and their size with their legs."""

    calls: int
    size: Size


NOTHING = Removed(0, Size())


async def evict_some_calls(portal_id: int, database: Database) -> Removed:
    """Remove the oldest unconfirmed calls, of which only events told, in the order in which they came."""
    async with database.transaction():
        # The index `calls_unconfirmed` has them in this order; its condition has the same words.
        oldest = "SELECT id FROM calls WHERE portal_id = {} AND NOT is_confirmed ORDER BY id LIMIT {}"
        is_unconfirmed = WhereRaw(f"NOT is_confirmed AND id IN ({oldest})", portal_id, CALLS_A_STEP)
        return await remove_calls(portal_id, And(CallTable.portal_id == portal_id, is_unconfirmed), database)


async def remove_calls(portal_id: int, condition: And, database: Database) -> Removed:
    """Within a transaction: remove the portal's calls for which the condition holds, and their legs.

    It locks the calls in the same order as `call_queries.load_calls`, or the two might wait for each other.
    """
    query = CallTable.select(CallTable.id, CallTable.call_id).where(condition).order_by(CallTable.call_id)
    rows = await (query if database.is_sqlite else query.lock_rows("UPDATE"))
    if not rows:
        return NOTHING
    of_call, of_leg = (
        size_sql(texts, is_sqlite=database.is_sqlite) for texts in (TEXTS_OF_CALL, TEXTS_OF_LEG)
    )
    keys = rows_from(database, {"portal_id": "bigint", "call_id": "text"})
    of_these = f"(portal_id, call_id) IN (SELECT portal_id, call_id FROM {keys} k)"  # noqa: S608  Our names.
    names = encode_rows((portal_id, row["call_id"]) for row in rows)
    await database.run(f"DELETE FROM call_operators WHERE {of_these}", names)  # noqa: S608  As above.
    gone_legs = await database.run(
        f"DELETE FROM call_legs WHERE {of_these} RETURNING {of_leg} AS size",  # noqa: S608  As above.
        names,
    )
    calls = rows_from(database, {"portal_id": "bigint", "id": "bigint"})
    gone_calls = await database.run(
        f"DELETE FROM calls WHERE (portal_id, id) IN (SELECT portal_id, id FROM {calls} k)"  # noqa: S608
        f" RETURNING {of_call} AS size",
        encode_rows((portal_id, row["id"]) for row in rows),
    )
    return Removed(len(rows), _add_up(gone_calls) + _add_up(gone_legs))


def _add_up(rows: Sequence[dict[str, Any]]) -> Size:
    return Size(len(rows), sum(row["size"] for row in rows))
