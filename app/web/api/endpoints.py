"""The JSON API (docs/interface.md, "JSON API"), documented at /schema."""

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import msgspec
from litestar import MediaType, Response, get
from litestar.params import FromPath

from app.calls.log.logged_calls import (
    CallNotFound,
    LoggedCall,
    LoggedLeg,
    cursor_after,
    find_call,
    list_calls,
    list_legs,
)
from app.calls.log.selection.filters import parse_list_request
from app.calls.statistics.progress.mark_queries import find_mark
from app.calls.statistics.progress.marks import Mark
from app.portals.model import Connection, Portal
from app.portals.settings.visible_users import EVERYONE
from app.web.api import list_parameters as asked
from app.web.api.shapes import Call, show_call
from app.web.display.doubt import Limited, find_limited
from app.web.display.people_names import refresh_people
from app.web.display.presenter import to_iso
from app.web.http.parts import GivenParts, WebParts
from app.web.http.requests import BEARER, GivenSession
from app.web.http.security import data_headers
from app.web.http.sessions import Session

ANSWER_BYTES = 1_048_576  # 500 calls with texts of usual length take a third of it.
Text = str | None


class CallList(msgspec.Struct, frozen=True):
    """One page of calls; `next_cursor` asks for the next page, and is null on the last one."""

    items: list[Call]
    next_cursor: str | None


class _Encoded(msgspec.Struct, frozen=True):
    """A `CallList` whose calls are encoded as JSON already."""

    items: list[msgspec.Raw]
    next_cursor: str | None


class History(msgspec.Struct, frozen=True):
    """How many rows of the portal's own statistics Callbook has read; `total` is an estimate until the end.

    `done` and `total` are null unless the viewer may see all calls.
    """

    state: Literal["pending", "running", "complete", "failed"]
    done: int | None
    total: int | None


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """How complete the log is. `last_event_at` is null unless the viewer may see all calls.

    `quota_reached`: Callbook has no room for more calls of this portal until some are removed.
    """

    complete_up_to: str | None
    history: History
    last_event_at: str | None
    token: Connection
    limited: Limited | None
    quota_reached: bool


@get("/api/v1/calls", tags=["calls"], security=BEARER)
async def get_calls(  # noqa: PLR0913, PLR0917  Each is a documented parameter.
    parts: GivenParts,
    session: GivenSession,
    limit: asked.Limit = None,
    cursor: asked.Cursor = None,
    since: asked.Since = None,
    until: asked.Until = None,
    direction: asked.Direction = None,
    outcome: asked.Outcome = None,
    code: asked.Code = None,
    operator: asked.Operator = None,
    department: asked.Department = None,
    line: asked.Line = None,
    duration_from: asked.DurationFrom = None,
    duration_to: asked.DurationTo = None,
    recording: asked.Recording = None,
    client: asked.Client = None,
    q: asked.Number = None,
    sort: asked.Sort = None,
) -> Response[CallList]:
    """The calls that the viewer may see, at most `limit` of them, fewer if their texts are long.

    Days, and times without an offset, are in the user's time zone.
    """
    given = {"limit": limit, "cursor": cursor, "from": since, "to": until, "direction": direction}
    given |= {"outcome": outcome, "code": code, "operator": operator, "line": line, "q": q, "sort": sort}
    given |= {"duration_from": duration_from, "duration_to": duration_to}
    given |= {"recording": recording, "client": client, "department": department}
    request = parse_list_request({name: value for name, value in given.items() if value}, session.zone)
    page = await list_calls(session.viewer, request)
    calls = await _to_api(page.calls, await list_legs(session.viewer, page.calls), parts, session)
    items = _encode_fitting(calls)
    is_all = len(items) == len(page.calls)
    next_cursor = page.next_cursor if is_all else cursor_after(request.sort, page.calls[len(items) - 1])
    answer = msgspec.json.encode(_Encoded(items, next_cursor))
    return Response(cast("CallList", answer), media_type=MediaType.JSON, headers=data_headers())


@get("/api/v1/calls/{call_id:str}", tags=["calls"], security=BEARER)
async def get_call(call_id: FromPath[str], parts: GivenParts, session: GivenSession) -> Response[Call]:
    """One call by its CALL_ID; 404 if it does not exist or the viewer may not see it."""
    found = await find_call(session.viewer, call_id)
    if found is None:
        raise CallNotFound
    legs = await list_legs(session.viewer, [found], is_whole=True)
    return Response((await _to_api([found], legs, parts, session))[0], headers=data_headers())


@get("/api/v1/sync", tags=["sync"], security=BEARER)
async def get_sync(parts: GivenParts, session: GivenSession) -> Response[Sync]:
    """The moment up to which the log is complete, how far the history is read, and whether the
    token works.
    """
    portal = session.portal
    mark = await find_mark(portal.id, portal.generation)
    limited = await find_limited(portal, parts.people, session.locale)
    sync = describe_sync(portal, mark, limited, is_full=await parts.room.is_full(portal.id))
    if session.viewer.sees is not EVERYONE:  # These would tell of calls that the viewer may not see.
        history = History(sync.history.state, None, None)
        sync = msgspec.structs.replace(sync, history=history, last_event_at=None)
    return Response(sync, headers=data_headers())


def describe_sync(
    portal: Portal, mark: Mark | None, limited: Limited | None = None, *, is_full: bool = False
) -> Sync:
    """The answer of `GET /api/v1/sync`. Before the first read of the history its numbers are null."""
    up_to = None if mark is None else mark.complete_up_to
    return Sync(
        complete_up_to=None if up_to is None else to_iso(up_to),
        history=_describe_history(mark),
        last_event_at=None if portal.last_event_at is None else to_iso(portal.last_event_at),
        token=portal.connection,
        limited=limited,
        quota_reached=is_full,
    )


def _describe_history(mark: Mark | None) -> History:
    if mark is None or not mark.has_begun:
        return History("pending" if mark is None else mark.history_state, None, None)
    return History(mark.history_state, mark.rows_done, mark.rows_total)


async def _to_api(
    calls: Sequence[LoggedCall], legs: Mapping[int, list[LoggedLeg]], parts: WebParts, session: Session
) -> list[Call]:
    """The calls in the shape of the API: the first ones, as many as `legs` holds."""
    calls = calls[: len(legs)]
    user_ids = {leg.user_id for call in calls for leg in (call, *legs[call.id]) if leg.user_id is not None}
    names = await parts.people.find_names(session.portal, user_ids)
    refresh_people(parts, session, is_somebody_unknown=not user_ids <= names.keys())
    return [show_call(call, legs[call.id], names) for call in calls]


def _encode_fitting(calls: Sequence[Call]) -> list[msgspec.Raw]:
    """The first calls as JSON: as many as fit into ANSWER_BYTES, and at least one."""
    items: list[msgspec.Raw] = []
    size = 0
    for call in calls:
        item = msgspec.json.encode(call)
        size += len(item)
        if items and size > ANSWER_BYTES:
            break
        items.append(msgspec.Raw(item))
    return items


HANDLERS = [get_calls, get_call, get_sync]
