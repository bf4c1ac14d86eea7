"""The statements behind the log and its calls, portal first, each cut to the calls that the viewer may see.

A page begins after the last row of the page before, by row value: it costs the same at every depth, and shows
no row twice while calls arrive.
"""

from collections.abc import Sequence
from typing import Any, Literal

from piccolo.columns.combination import And, Or, WhereRaw
from piccolo.custom_types import Combinable
from piccolo.query import OrderByRaw

from app.bitrix24.methods.recordings import RecordedLeg
from app.calls.log.column_queries import COLUMNS, LISTED, LISTED_LEGS, Readable, short_or_null
from app.calls.log.selection.cursors import Cursor, Sort
from app.calls.log.selection.filter_queries import matching
from app.calls.log.selection.filters import Filters, ListRequest
from app.calls.log.selection.visibility_queries import is_visible
from app.calls.tables import CallLegTable, CallTable
from app.kit.text import storable
from app.portals.settings.visible_users import Visible

# Unknown values sort below all known ones; money sorts by its number, in any currency.
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
MAX_RECENT = 2_000  # Combinations of employee, line and code, for the menus.

Row = dict[str, Any]
Side = Literal["earlier", "later"]


async def select_page(
    portal_id: int, visible: Visible, request: ListRequest, columns: Sequence[Readable] = LISTED
) -> list[Row]:
    """The rows of one page, and one more if there is a next page."""
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
    """How many calls match the filters; it reads each of them."""
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
    """The id of the call that was stored last, whenever the call began; None if that call is not among the
    last `depth` calls of all portals. Because of this limit the statement needs no index of its own, which
    would make every event slower.
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
    """Employee, line and code of the newest calls, each combination once; texts that are too long are
    null.
    """
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


async def select_of_card(
    portal_id: int,
    visible: Visible,
    card: tuple[str, int],
    activity_ids: Sequence[int],
    limit: int,
    cursor: Cursor | None = None,
) -> list[Row]:
    """The newest calls of a CRM card (its kind as in the statistics, and its id), from the cursor on.

    The statement reads the portal's calls newest first. It has no index of its own, which would make every
    event slower (decision 0021 has the figures).
    """
    kind, card_id = card
    is_of_card = And(CallTable.crm_entity_type == kind, CallTable.crm_entity_id == card_id)
    belongs = (
        Or(is_of_card, CallTable.crm_activity_id.is_in(list(activity_ids))) if activity_ids else is_of_card
    )
    if cursor is not None:
        belongs = And(belongs, beyond(cursor))
    rows: list[Row] = await (
        CallTable.select(*LISTED)
        .where(And(is_visible(portal_id, visible), belongs))
        .order_by(CallTable.started_at, CallTable.id, ascending=False)
        .limit(limit)
    )
    return rows


async def find_digits(portal_id: int, visible: Visible, call_id: str) -> str | None:
    """The digits of the call's number, which are the same in any way of writing it. None if the call has no
    readable number, or if the viewer may not see the call.
    """
    row = await (
        CallTable.select(CallTable.phone_digits)
        .where(And(is_visible(portal_id, visible), CallTable.call_id == storable(call_id)))
        .first()
    )
    return row["phone_digits"] if row else None


async def select_same_number(
    portal_id: int, visible: Visible, digits: str, side: Side, edge: tuple[int, int], limit: int
) -> list[Row]:
    """Calls with the number on one side of (`started_at`, `id`), the nearest first.

    There is no index of numbers: the statement reads the portal's calls in the order of their start until it
    has found enough.
    """
    is_beyond = WhereRaw(f"(started_at, id) {'<' if side == 'earlier' else '>'} ({{}}, {{}})", *edge)
    condition = And(And(is_visible(portal_id, visible), CallTable.phone_digits == digits), is_beyond)
    rows: list[Row] = await (
        CallTable.select(*LISTED)
        .where(condition)
        .order_by(CallTable.started_at, CallTable.id, ascending=side == "later")
        .limit(limit)
    )
    return rows


async def select_legs(
    portal_id: int, call_ids: Sequence[str], limit: int, columns: Sequence[Readable] = LISTED_LEGS
) -> list[Row]:
    """At most `limit` stored legs of these calls (ids as stored), in the order in which they began."""
    if not call_ids:
        return []
    is_of = And(CallLegTable.portal_id == portal_id, CallLegTable.call_id.is_in(list(call_ids)))
    rows: list[Row] = await (
        CallLegTable.select(*columns)
        .where(is_of)
        .order_by(CallLegTable.started_at, CallLegTable.id)
        .limit(limit)
    )
    return rows


async def select_recorded_legs(portal_id: int, visible: Visible, call_id: str) -> list[RecordedLeg]:
    """The legs of a call that have a recording, in the order in which they began: none if the viewer may not
    see the call, and none whose row is gone.
    """
    seen = And(is_visible(portal_id, visible), CallTable.call_id == storable(call_id))
    of_call = CallLegTable.call_id.is_in(CallTable.select(CallTable.call_id).where(seen))
    is_recorded = And(CallLegTable.has_recording.eq(value=True), CallLegTable.statistics_id.is_not_null())
    is_shown = And(is_recorded, CallLegTable.gone_at.is_null())
    rows = await (
        CallLegTable.select(
            *(CallLegTable.statistics_id, CallLegTable.user_id),
            *(CallLegTable.started_at, CallLegTable.is_start_guessed),
        )
        .where(And(And(CallLegTable.portal_id == portal_id, of_call), is_shown))
        .order_by(CallLegTable.started_at, CallLegTable.id)
    )
    return [
        RecordedLeg(
            *(call_id, row["statistics_id"], row["user_id"]),
            None if row["is_start_guessed"] else row["started_at"],
        )
        for row in rows
    ]


def beyond(cursor: Cursor) -> Combinable:
    """The condition for the rows that come after the cursor's row in its order."""
    comparison = "<" if cursor.sort.startswith("-") else ">"
    return WhereRaw(f"({SORT_KEYS[cursor.sort]}, id) {comparison} ({{}}, {{}})", cursor.key, cursor.row_id)
