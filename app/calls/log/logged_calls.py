"""Reading the log: a page, one call, its legs, its news; only of calls that the viewer may see."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from app.calls.log import log_queries
from app.calls.log.column_queries import LISTED, LISTED_LEGS, WHOLE_LEGS, Readable
from app.calls.log.selection.cursors import NEWEST_FIRST, Cursor, Sort
from app.calls.log.selection.filters import Filters, ListRequest
from app.calls.store.counted_calls import Counting
from app.calls.store.counted_queries import find_counting
from app.calls.store.known_calls import leg_of_row
from app.calls.store.legs import CALL_FIELDS, FLAG_FIELDS, TEXT_FIELDS, CallFields, Leg
from app.calls.store.outcome import Direction, Outcome, direction_of, outcome_of
from app.calls.store.shown_legs import Shown, show
from app.kit.fairness.pauses import let_others_run
from app.kit.messages.errors import Refusal
from app.kit.messages.words import N_
from app.kit.text import original, storable
from app.portals.settings.visible_users import Everyone, Visible

PAGE_CHARACTERS = 250_000  # Of texts: honest pages of 500 calls have 50,000.
LEGS_AT_ONCE = 2_000
LEGS_OF_A_CALL = 200  # A call to a queue that rings at everybody has some dozens.
RECENT_CALLS = 5_000
PULSE_CALLS = 200
PULSE_WINDOW_S = 86_400
PULSE_DEPTH = 5_000
_PLAIN_FIELDS = tuple(name for name in CALL_FIELDS if name not in {*TEXT_FIELDS, *FLAG_FIELDS})


class CallNotFound(Refusal):
    """There is no such call, or none that the viewer may see."""

    status = 404
    code = "call_not_found"
    message = N_("This call does not exist, or you may not see it.")


class Viewer(msgspec.Struct, frozen=True):
    """A user of one portal, together with the users whose calls this user may see now."""

    portal_id: int
    user_id: int
    sees: Visible

    @property
    def sees_others(self) -> bool:
        """Whether the viewer's log can hold calls of others, so that a filter by employee makes sense."""
        return self.sees != frozenset((self.user_id,))

    def sees_calls_of(self, user_id: int) -> bool:
        """Whether the viewer may see calls of this employee."""
        return self.sees is Everyone.EVERYONE or user_id in self.sees


class LoggedLeg(CallFields, frozen=True, kw_only=True):
    """One leg of a call; its texts are as the portal wrote them, `cost_e4` in ten-thousandths of `currency`.

    `confirmed`: whether the portal's statistics show it (None: not known yet).
    """

    direction: Direction | None
    outcome: Outcome | None
    confirmed: bool | None


class LoggedCall(LoggedLeg, frozen=True, kw_only=True):
    """One call as the log shows it: with the facts of its answered leg, else of its last."""

    id: int
    call_id: str
    source: str


class CallPage(msgspec.Struct, frozen=True):
    """Calls in order, and the cursor of the next page if there is one."""

    calls: list[LoggedCall]
    next_cursor: str | None


class RecentValues(NamedTuple):
    """Employees, lines and codes to choose from, in no order."""

    user_ids: set[int]
    lines: set[str]
    codes: set[str]


class Pulse(msgspec.Struct, frozen=True):
    """The state of a viewer's calls at one look; two looks are equal while no call is new or different."""

    latest_id: int
    facts: int


async def list_calls(viewer: Viewer, request: ListRequest, columns: Sequence[Readable] = LISTED) -> CallPage:
    """One page of the calls that the viewer may see. A page whose texts are long has fewer calls than the
    limit.
    """
    rows = await log_queries.select_page(viewer.portal_id, viewer.sees, request, columns)
    return await _to_page(viewer, rows, request.sort, request.limit)


async def count_calls(viewer: Viewer, filters: Filters) -> int:
    """How many of the calls that the viewer may see match the filters."""
    return await log_queries.count_calls(viewer.portal_id, viewer.sees, filters)


async def list_card_calls(
    viewer: Viewer,
    card: tuple[str, int],
    activity_ids: Sequence[int],
    limit: int,
    cursor: Cursor | None = None,
) -> CallPage:
    """Calls of a CRM card that the viewer may see, newest first: those of its activities, and those that the
    statistics ascribe to the card.
    """
    rows = await log_queries.select_of_card(
        viewer.portal_id, viewer.sees, card, activity_ids, limit + 1, cursor
    )
    return await _to_page(viewer, rows, NEWEST_FIRST, limit)


async def find_call(viewer: Viewer, call_id: str) -> LoggedCall | None:
    """One call by Bitrix24's id, or None when there is none that the viewer may see."""
    row = await log_queries.select_call(viewer.portal_id, viewer.sees, call_id)
    return (await to_calls(viewer, [row]))[0] if row else None


async def list_legs(
    viewer: Viewer, calls: Sequence[LoggedCall], *, is_whole: bool = False
) -> dict[int, list[LoggedLeg]]:
    """The legs of calls that the viewer may see, by the call's `id`, in the order in which they began. Legs
    in doubt stand after the others.

    The result has at most 200 legs of each call. If several calls have more than 2,000 legs together, it has
    only the first half of these calls; if these still have more, only the first quarter, and so on. A call of
    which only one event has told has no stored legs: the call itself stands for its one leg. Where the
    statistics show a call, or showed it once, a leg of which only an event told is left out as soon as the
    statistics should have shown it. Texts are cut as in a list, unless `is_whole`.
    """
    ids = {storable(call.call_id): call.id for call in calls}
    columns = WHOLE_LEGS if is_whole else LISTED_LEGS
    most = LEGS_AT_ONCE if len(calls) > 1 else LEGS_OF_A_CALL
    rows = await log_queries.select_legs(viewer.portal_id, list(ids), most + 1, columns)
    if len(rows) > most and len(calls) > 1:
        return await list_legs(viewer, calls[: len(calls) // 2], is_whole=is_whole)
    stored: dict[int, list[Leg]] = {}
    async for row in let_others_run(rows):
        stored.setdefault(ids[row["call_id"]], []).append(leg_of_row(row))
    is_clear = all(leg.is_confirmed for legs in stored.values() for leg in legs)
    counting = Counting() if is_clear else await find_counting(viewer.portal_id)
    legs = {call_id: list(_list_shown(show(tuple(found)), counting)) for call_id, found in stored.items()}
    return {call.id: legs.get(call.id, [])[:LEGS_OF_A_CALL] or [call] for call in calls}


def _list_shown(shown: Shown, counting: Counting) -> Iterator[LoggedLeg]:
    for leg in (*shown.deciding, *shown.doubtful):
        is_gone = leg.gone_at is not None
        confirmed = counting.judge(leg.received_at, is_confirmed=leg.is_confirmed, is_gone=is_gone)
        if confirmed is not False or leg in shown.deciding:
            yield LoggedLeg(confirmed=confirmed, **_facts_of(msgspec.structs.asdict(leg)))


async def list_recent_values(viewer: Viewer) -> RecentValues:
    """The employees, lines and codes of the newest calls that the viewer may see."""
    rows = await log_queries.select_recent_values(viewer.portal_id, viewer.sees, RECENT_CALLS)
    return RecentValues(
        {row["user_id"] for row in rows if row["user_id"] is not None},
        {original(row["portal_number"]) for row in rows if row["portal_number"]},
        {original(row["code"]) for row in rows if row["code"]},
    )


async def take_pulse(viewer: Viewer, now: int, before: Pulse | None = None) -> Pulse:
    """The present pulse. It differs from the pulse `before` when a call that the viewer may see is new, or
    when a call that began within a day of now has changed.

    An open page learns from it when to look again. The pulse tells a viewer nothing about calls that this
    viewer may not see.
    """
    portal_id, visible = viewer.portal_id, viewer.sees
    latest_id = await log_queries.find_latest_id(portal_id, visible, PULSE_DEPTH) or 0
    since, until = now - PULSE_WINDOW_S, now + PULSE_WINDOW_S
    rows = await log_queries.select_between(portal_id, visible, since, until, PULSE_CALLS)
    facts = hash(tuple(tuple(row.values()) for row in rows))
    # If many calls of other users have come since, the viewer's latest one is not found. That is no change
    # for the viewer.
    return Pulse(max(latest_id, before.latest_id if before else 0), facts)


async def _to_page(viewer: Viewer, rows: Sequence[dict[str, Any]], sort: Sort, limit: int) -> CallPage:
    """The page that the first `limit` rows make; a row beyond them only shows that there is a next page."""
    fitting = rows[: _count_fitting(rows[:limit])]
    calls = await to_calls(viewer, fitting)
    return CallPage(calls, cursor_after(sort, calls[-1]) if len(rows) > len(fitting) else None)


def _count_fitting(rows: Sequence[dict[str, Any]]) -> int:
    """How many of these rows fit into a page: at least one."""
    characters = 0
    for count, row in enumerate(rows):
        characters += sum(len(value) for value in row.values() if isinstance(value, str))
        if characters > PAGE_CHARACTERS:
            return max(count, 1)
    return len(rows)


def cursor_after(sort: Sort, call: LoggedCall) -> str:
    """The cursor of the page that begins after this call."""
    return _cursor_of(sort, call).to_text()


def _cursor_of(sort: Sort, call: LoggedCall) -> Cursor:
    if sort.endswith("started_at"):
        return Cursor(sort, call.started_at, call.id)
    value = call.cost_e4 if sort.endswith("cost") else call.duration_s
    return Cursor(sort, -1 if value is None else value, call.id)


async def to_calls(viewer: Viewer, rows: Sequence[dict[str, Any]]) -> list[LoggedCall]:
    """The calls as the log shows them, from rows with the columns of `column_queries.COLUMNS`. The caller has
    read only rows that the viewer may see.
    """
    is_clear = all(row["is_confirmed"] for row in rows)
    counting = Counting() if is_clear else await find_counting(viewer.portal_id)
    return [_to_call(row, counting) async for row in let_others_run(rows)]


def _to_call(row: dict[str, Any], counting: Counting) -> LoggedCall:
    return LoggedCall(
        id=row["id"],
        call_id=original(row["call_id"]),
        source=row["source"],
        confirmed=counting.judge(
            row["received_at"], is_confirmed=bool(row["is_confirmed"]), is_gone=bool(row["is_gone"])
        ),
        **_facts_of(row),
    )


def _facts_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of `LoggedLeg` but `confirmed`, from a row of `calls` or the fields of a leg."""
    facts: dict[str, Any] = {name: row[name] for name in _PLAIN_FIELDS}
    for name in TEXT_FIELDS:
        text = row[name]
        facts[name] = original(text) if text else None
    for name in FLAG_FIELDS:
        facts[name] = bool(row[name])
    facts["direction"] = direction_of(facts["type"])
    facts["outcome"] = outcome_of(facts["type"], facts["code"])
    return facts
