"""The log as HTML: its first page with the page itself, the others and every filter as fragments."""

import asyncio
from collections.abc import Mapping
from datetime import tzinfo
from typing import NamedTuple

from litestar import Response, get

from app.calls.filters import ListRequest, parse_list_request
from app.calls.parameters import join_lists
from app.calls.periods import apply_period
from app.calls.reading import list_calls, list_recent_operators
from app.web.doubt import Doubt, view_doubt
from app.web.history import HistoryView, view_history
from app.web.notice import Notice, view_notice
from app.web.parts import GivenParts, WebParts
from app.web.people import system_user_label
from app.web.presenting import CallRow, Presenter, to_local
from app.web.requests import AnyRequest, GivenSession
from app.web.security import data_headers
from app.web.sessions import Session, read_zone

FIRST_NAMES_S = 3.0


class LogView(NamedTuple):
    """What the template shows; `history`, `notice` and `doubt` stand above the first rows only."""

    rows: list[CallRow]
    next_cursor: str | None
    is_filtered: bool
    is_continued: bool
    history: HistoryView | None
    notice: Notice | None
    doubt: Doubt | None


class Operator(NamedTuple):
    """One choice of the filter."""

    user_id: int
    name: str


async def view_log(parts: WebParts, session: Session, parameters: Mapping[str, str]) -> LogView:
    """One page of the log as its viewer reads it; raises BadFilter."""
    zone = choose_zone(session, parameters)
    now = parts.clock.now()
    request = read_list_request(session, parameters, now)
    page = await list_calls(session.viewer, request)
    user_ids = {call.user_id for call in page.calls if call.user_id is not None}
    names = await parts.people.find_names(session.portal, user_ids, system_user_label(session.locale))
    refresh_people(parts, session, is_somebody_unknown=not user_ids <= names.keys())
    presenter = Presenter(zone, session.locale, now, session.settings.line_names)
    rows = [presenter.present(call, names) for call in page.calls]
    is_continued = request.cursor is not None
    history = None if is_continued else await view_history(session, presenter)
    notice = history and await view_notice(session, parts.people, parts.clock, history.failure_code)
    is_any_doubted = any(row.is_doubted for row in rows)
    doubt = history and await view_doubt(session, parts.people, is_any_doubted=is_any_doubted)
    is_filtered = not request.filters.is_empty
    return LogView(rows, page.next_cursor, is_filtered, is_continued, history, notice, doubt)


def choose_zone(session: Session, parameters: Mapping[str, str]) -> tzinfo:
    """The portal's zone or that of the user's profile, else the browser's, which the page sends as `zone`."""
    return session.zone if session.time_zone else read_zone(parameters.get("zone", ""))


def read_list_request(session: Session, parameters: Mapping[str, str], now: int) -> ListRequest:
    """What the log's own parameters ask for: those of the API, and `period` and `zone`. Raises BadFilter."""
    zone = choose_zone(session, parameters)
    return parse_list_request(apply_period(parameters, to_local(now, zone).date()), zone)


def refresh_people(parts: WebParts, session: Session, *, is_somebody_unknown: bool) -> None:
    """Read the portal's users in the background when it is time to."""
    if parts.people.is_due(session.portal, is_somebody_unknown=is_somebody_unknown):
        parts.background.spawn("people", parts.people.refresh(session.portal))


async def meet_people(parts: WebParts, session: Session) -> None:
    """Before the first page of all, wait a moment for the users, so that it shows names from the start."""
    if session.portal.people_read_at == 0 and parts.people.is_due(session.portal, is_somebody_unknown=True):
        task = parts.background.spawn("people", parts.people.refresh(session.portal))
        await asyncio.wait({task}, timeout=FIRST_NAMES_S)


@get("/log/rows", include_in_schema=False)
async def show_rows(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """The table for the filters, or with a cursor the rows that follow."""
    view = await view_log(parts, session, join_lists(request.query_params.multi_items()))
    template = "log_more.html" if view.is_continued else "log_table.html"
    return parts.pages.render(template, data_headers(), session.locale, view=view)


@get("/log/operators", include_in_schema=False)
async def show_operators(parts: GivenParts, session: GivenSession) -> Response[str]:
    """The choices of the operator filter: whoever appears in the newest calls, by name."""
    user_ids = await list_recent_operators(session.viewer)
    names = await parts.people.find_names(session.portal, user_ids, system_user_label(session.locale))
    operators = [Operator(user_id, names.get(user_id, "")) for user_id in user_ids]
    operators.sort(key=lambda operator: (not operator.name, operator.name.casefold(), operator.user_id))
    return parts.pages.render("log_operators.html", data_headers(), session.locale, operators=operators)


HANDLERS = [show_rows, show_operators]
