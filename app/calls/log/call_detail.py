"""One call in full: its legs, and the calls before and after it with the same number."""

import msgspec

from app.calls.log import log_queries
from app.calls.log.log_queries import Side
from app.calls.log.logged_calls import LoggedCall, LoggedLeg, Viewer, find_call, list_legs, to_calls

NEIGHBOURS = 10


class Neighbours(msgspec.Struct, frozen=True):
    """Calls with the same number on one side of a call, the nearest first, and whether there are more."""

    calls: list[LoggedCall]
    has_more: bool


class CallDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One call in full. `recordings`: how many of its legs have one. `earlier`, `later`: calls with its
    number.
    """

    call: LoggedCall
    legs: list[LoggedLeg]
    recordings: int
    earlier: Neighbours
    later: Neighbours


async def read_detail(viewer: Viewer, call_id: str) -> CallDetail | None:
    """One call by Bitrix24's id, or None when there is none that the viewer may see."""
    call = await find_call(viewer, call_id)
    if call is None:
        return None
    earlier = await list_neighbours(viewer, call, "earlier")
    later = await list_neighbours(viewer, call, "later")
    legs = await list_legs(viewer, [call], is_whole=True)
    recorded = await log_queries.select_recorded_legs(viewer.portal_id, viewer.sees, call_id)
    return CallDetail(call=call, legs=legs[call.id], recordings=len(recorded), earlier=earlier, later=later)


async def list_neighbours(
    viewer: Viewer, call: LoggedCall, side: Side, after: LoggedCall | None = None
) -> Neighbours:
    """The nearest calls with the number of `call` on one side, or the next ones after `after` on that
    side.
    """
    digits = await log_queries.find_digits(viewer.portal_id, viewer.sees, call.call_id)
    if digits is None:
        return Neighbours([], has_more=False)
    last = after or call
    rows = await log_queries.select_same_number(
        viewer.portal_id, viewer.sees, digits, side, (last.started_at, last.id), NEIGHBOURS + 1
    )
    return Neighbours(await to_calls(viewer, rows[:NEIGHBOURS]), has_more=len(rows) > NEIGHBOURS)


def user_ids_of(detail: CallDetail) -> set[int]:
    """The users of the call, its legs and its neighbours."""
    calls = [detail.call, *detail.earlier.calls, *detail.later.calls]
    user_ids = {call.user_id for call in calls} | {leg.user_id for leg in detail.legs}
    return {user_id for user_id in user_ids if user_id is not None}
