"""One call as its panel shows it. Pure; the template has the words."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from app.calls.log.call_detail import CallDetail, Neighbours
from app.calls.log.logged_calls import LoggedCall, LoggedLeg
from app.calls.statistics.progress.read_schedule import WINDOW_S
from app.calls.store.outcome import Outcome
from app.web.display.presenter import (
    CallRow,
    Moment,
    Presenter,
    format_duration,
    initials_of,
    is_of_robot,
    visible,
)

# The word for each kind of card in the paths of the portal's own pages (docs/bitrix24.md, settings of
# `openPath`).
CRM_PATHS = {"CONTACT": "contact", "COMPANY": "company", "LEAD": "lead", "DEAL": "deal"}
# `asked`: only Bitrix24 knows whether there is one; `unreadable`: there is one that apps cannot read.
Transcript = Literal["none", "asked", "unreadable"]
_SMART_PROCESS = re.compile(r"DYNAMIC_([0-9]+)")
_DIALLABLE = re.compile(r"[+*#(0-9][-+*#0-9 ().]*")


class LegView(NamedTuple):
    """One leg of the timeline."""

    at: Moment
    outcome: Outcome | None
    code: str | None
    reason: str | None
    user_id: int | None
    operator: str | None
    is_robot: bool
    initials: str
    hue: int
    duration: str | None
    is_doubted: bool  # Only an event told of it, while the statistics show other legs of the call.


class ClientView(NamedTuple):
    """The CRM card of a call; `path` is None if we know no page for its type."""

    type: str
    id: int
    path: str | None


class NeighboursView(NamedTuple):
    """Earlier or later calls with the same number, the nearest first; `more_after` is the CALL_ID of the last
    one if more follow, else None.
    """

    rows: list[CallRow]
    more_after: str | None


class CallView(NamedTuple):
    """The values of the template. `dial` is the number for Bitrix24 to call, None for a hidden number.

    `is_old`: Callbook reads late facts of such a call only when a viewer opens it.
    """

    row: CallRow
    started: Moment
    ended: Moment | None
    dial: str | None
    client: ClientView | None
    source: str
    confirmed: bool | None
    vote: int | None
    comment: str | None
    legs: list[LegView]
    recordings: int
    transcript: Transcript
    is_old: bool
    earlier: NeighboursView
    later: NeighboursView


def view_call(detail: CallDetail, names: Mapping[int, str], presenter: Presenter) -> CallView:
    """The values of the whole panel; `names` has the known users by id."""
    call = detail.call
    ended_at = None if call.duration_s is None else call.started_at + call.duration_s
    is_confirmed = any(leg.confirmed for leg in detail.legs)
    return CallView(
        row=presenter.present(call, names),
        started=presenter.describe_moment(call.started_at),
        ended=None if ended_at is None else presenter.describe_moment(ended_at),
        dial=find_dial(call.phone_number),
        client=_view_client(call),
        source=call.source,
        confirmed=call.confirmed,
        vote=call.vote or None,
        comment=call.comment and visible(call.comment),
        legs=[_view_leg(leg, names, presenter, is_confirmed=is_confirmed) for leg in detail.legs],
        recordings=detail.recordings,
        transcript=_find_transcript(call),
        is_old=call.started_at < presenter.now - WINDOW_S,
        earlier=view_neighbours(detail.earlier, names, presenter),
        later=view_neighbours(detail.later, names, presenter),
    )


def view_neighbours(found: Neighbours, names: Mapping[int, str], presenter: Presenter) -> NeighboursView:
    """One side of the calls with the same number."""
    rows = [presenter.present(call, names) for call in found.calls]
    return NeighboursView(rows, found.calls[-1].call_id if found.has_more else None)


def find_dial(phone_number: str | None) -> str | None:
    """The number as it came, or None for a text that cannot be called: `hidden`, a line's code."""
    number = (phone_number or "").strip()
    is_number = _DIALLABLE.fullmatch(number) and any(character.isdigit() for character in number)
    return number if is_number else None


def find_crm_path(entity_type: str, entity_id: int) -> str | None:
    """The path that `openPath` takes for a CRM card; None for a type without a page that we know."""
    if entity_type in CRM_PATHS:
        return f"/crm/{CRM_PATHS[entity_type]}/details/{entity_id}/"
    smart_process = _SMART_PROCESS.fullmatch(entity_type)
    return f"/crm/type/{smart_process[1]}/details/{entity_id}/" if smart_process else None


def _find_transcript(call: LoggedCall) -> Transcript:
    """The state of the transcript. Bitrix24 makes it from a recording, and apps find it by the CRM activity
    alone.
    """
    if not (call.has_transcript or call.has_recording):
        return "none"
    if call.crm_activity_id:
        return "asked"
    return "unreadable" if call.has_transcript else "none"


def _view_client(call: LoggedCall) -> ClientView | None:
    if not call.crm_entity_type or not call.crm_entity_id:
        return None
    entity_type = call.crm_entity_type.upper()
    return ClientView(
        visible(entity_type), call.crm_entity_id, find_crm_path(entity_type, call.crm_entity_id)
    )


def _view_leg(
    leg: LoggedLeg, names: Mapping[int, str], presenter: Presenter, *, is_confirmed: bool
) -> LegView:
    operator = names.get(leg.user_id) if leg.user_id is not None else None
    return LegView(
        at=presenter.describe_moment(leg.started_at),
        outcome=leg.outcome,
        code=leg.code and visible(leg.code),
        reason=leg.reason and visible(leg.reason),
        user_id=leg.user_id,
        operator=operator and visible(operator),
        is_robot=is_of_robot(leg),
        initials=initials_of(operator or ""),
        hue=(leg.user_id or 0) % 6,
        duration=None if leg.duration_s is None else format_duration(leg.duration_s),
        is_doubted=is_confirmed and leg.confirmed is None,
    )
