"""The statements behind the log, portal first, each cut to the calls that its viewer may see.

The pages are keyset pages by row value: the same cost at every depth, and no row twice while calls arrive.
"""

from collections.abc import Sequence
from typing import Any

from piccolo.columns.combination import And, WhereRaw
from piccolo.custom_types import Combinable
from piccolo.query import OrderByRaw

from app.calls.column_queries import COLUMNS, LISTED, Readable, short_or_null
from app.calls.filter_queries import matching
from app.calls.filters import Filters, ListRequest
from app.calls.paging import Cursor, Sort
from app.calls.tables import CallTable
from app.calls.visibility_queries import is_visible
from app.kit.text import storable
from app.portals.visibility import Visible

# What is unknown sorts below everything known; money by its number, whatever the currency.
_DURATION = "COALESCE(duration_s, -1)"
_COST = "COALESCE(cost_e4, -1)"
SORT_KEYS: dict[Sort, str] = {
    "-started_at": "started_at",
    "started_at": "started_at",
    "-duration_s": _DURATION,
    "duration_s": _DURATION,
    "-cost": _COST,
    "cost": _COST,
}
MAX_RECENT = 2_000  # Combinations, of which menus are made.

Row = dict[str, Any]


async def select_page(
    portal_id: int, visible: Visible, request: ListRequest, columns: Sequence[Readable] = LISTED
) -> list[Row]:
    """The rows of one page, and one more when there is a next page."""
    condition = And(is_visible(portal_id, visible), matching(portal_id, request.filters))
    if request.cursor is not None:
        condition = And(condition, beyond(request.cursor))
    is_ascending = not request.sort.startswith("-")
    rows: list[Row] = await (
        CallTable.select(*columns)
        .where(condition)
        .order_by(OrderByRaw(SORT_KEYS[request.sort]), ascending=is_ascending)
        .order_by(CallTable.id, ascending=is_ascending)
        .limit(request.limit + 1)
    )
    return rows


async def count_calls(portal_id: int, visible: Visible, filters: Filters) -> int:
    """How many calls there are; reads each of them."""
    count: int = await CallTable.count().where(
        And(is_visible(portal_id, visible), matching(portal_id, filters))
    )
    return count


async def select_call(portal_id: int, visible: Visible, call_id: str) -> Row | None:
    """One call by Bitrix24's id."""
    is_this = CallTable.call_id == storable(call_id)
    row: Row | None = (
        await CallTable.select(*COLUMNS).where(And(is_visible(portal_id, visible), is_this)).first()
    )
    return row


async def select_between(portal_id: int, visible: Visible, since: int, until: int, limit: int) -> list[Row]:
    """The newest calls that started from `since` to `until`."""
    is_between = And(CallTable.started_at >= since, CallTable.started_at <= until)
    rows: list[Row] = await (
        CallTable.select(*LISTED)
        .where(And(is_visible(portal_id, visible), is_between))
        .order_by(CallTable.started_at, ascending=False)
        .limit(limit)
    )
    return rows


async def find_latest_id(portal_id: int, visible: Visible, depth: int) -> int | None:
    """The call that was stored last, whenever it began; looked for among the last `depth` of all portals.

    So it needs no index of its own, which every event would pay for.
    """
    is_recent = WhereRaw("id > (SELECT MAX(id) FROM calls) - {}", depth)
    row = await (
        CallTable.select(CallTable.id)
        .where(And(is_visible(portal_id, visible), is_recent))
        .order_by(CallTable.id, ascending=False)
        .first()
    )
    return row["id"] if row else None


async def select_recent_values(portal_id: int, visible: Visible, limit: int) -> list[Row]:
    """Employee, line and code as the newest calls have them, each combination once; overlong ones null."""
    values = (CallTable.user_id, short_or_null(CallTable.portal_number), short_or_null(CallTable.code))
    newest = (
        CallTable.select(*values)
        .where(is_visible(portal_id, visible))
        .order_by(CallTable.started_at, ascending=False)
        .limit(limit)
    )
    statement = "SELECT DISTINCT user_id, portal_number, code FROM ({}) AS newest LIMIT {}"
    rows: list[Row] = await CallTable.raw(statement, newest.querystrings[0], MAX_RECENT)
    return rows


def beyond(cursor: Cursor) -> Combinable:
    """What comes after a row in its order."""
    comparison = "<" if cursor.sort.startswith("-") else ">"
    return WhereRaw(f"({SORT_KEYS[cursor.sort]}, id) {comparison} ({{}}, {{}})", cursor.key, cursor.row_id)
