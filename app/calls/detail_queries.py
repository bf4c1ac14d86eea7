"""The statements behind the calls with the same number, portal first."""

from typing import Any, Literal

from piccolo.columns.combination import And, WhereRaw

from app.calls.column_queries import LISTED
from app.calls.tables import CallTable
from app.calls.visibility_queries import is_visible
from app.kit.text import storable
from app.portals.visibility import Visible

Side = Literal["earlier", "later"]
Row = dict[str, Any]


async def find_digits(portal_id: int, visible: Visible, call_id: str) -> str | None:
    """What the calls of one number have in common, however it was written; None for a hidden number."""
    row = await (
        CallTable.select(CallTable.phone_digits)
        .where(And(is_visible(portal_id, visible), CallTable.call_id == storable(call_id)))
        .first()
    )
    return row["phone_digits"] if row else None


async def select_same_number(
    portal_id: int, visible: Visible, digits: str, side: Side, beyond: tuple[int, int], limit: int
) -> list[Row]:
    """Calls with the number on one side of (`started_at`, `id`), the nearest first.

    No index knows numbers: the portal's calls are walked in the order of their start until enough are found.
    """
    is_beyond = WhereRaw(f"(started_at, id) {'<' if side == 'earlier' else '>'} ({{}}, {{}})", *beyond)
    condition = And(And(is_visible(portal_id, visible), CallTable.phone_digits == digits), is_beyond)
    rows: list[Row] = await (
        CallTable.select(*LISTED)
        .where(condition)
        .order_by(CallTable.started_at, CallTable.id, ascending=side == "later")
        .limit(limit)
    )
    return rows
