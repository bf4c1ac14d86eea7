"""One page of the log, in the viewer's language and zone."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import NamedTuple

from app.calls.log.columns import Column, read_columns
from app.calls.log.logged_calls import list_calls
from app.calls.log.selection.cursors import Sort
from app.calls.log.selection.filters import ListRequest, parse_list_request
from app.calls.log.selection.periods import apply_period
from app.people.department_queries import list_seen_departments
from app.web.display.doubt import Doubt, view_doubt
from app.web.display.history_progress import HistoryView, view_history
from app.web.display.notice import Notice, view_notice
from app.web.display.presenter import CallRow, Presenter, to_local
from app.web.display.rows import present_calls
from app.web.http.parts import WebParts
from app.web.http.sessions import Session, read_zone
from app.web.log.chips import Chip, Names, list_chips


class LogView(NamedTuple):
    """The values of the table's template. Only the first page has chips, history, notice and doubt."""

    rows: list[CallRow]
    next_cursor: str | None
    is_filtered: bool
    is_continued: bool
    columns: tuple[Column, ...]
    sort: Sort
    chips: list[Chip]
    history: HistoryView | None
    notice: Notice | None
    doubt: Doubt | None
    card: None = None  # The list of a CRM card has one.


async def view_log(parts: WebParts, session: Session, parameters: Mapping[str, str]) -> LogView:
    """One page of the log; `columns` is a parameter like the filters. Raises BadFilter."""
    now = parts.clock.now()
    request = read_list_request(session, parameters, now)
    page = await list_calls(session.viewer, request)
    columns = read_columns(parameters.get("columns", "").split(","))
    zone = choose_zone(session, parameters)
    rows, names, presenter = await present_calls(
        parts, session, page.calls, columns, zone, request.filters.user_ids
    )
    is_continued = request.cursor is not None
    history = None if is_continued else await view_history(session, presenter)
    is_any_doubted = any(row.is_doubted for row in rows)
    return LogView(
        rows=rows,
        next_cursor=page.next_cursor,
        is_filtered=not request.filters.is_empty,
        is_continued=is_continued,
        columns=columns,
        sort=request.sort,
        chips=[] if is_continued else await _list_chips(session, request, parameters, names, presenter),
        history=history,
        notice=history and await view_notice(parts, session, history.failure_code),
        doubt=history and await view_doubt(session, parts.people, is_any_doubted=is_any_doubted),
    )


async def _list_chips(
    session: Session,
    request: ListRequest,
    parameters: Mapping[str, str],
    names: Mapping[int, str],
    presenter: Presenter,
) -> list[Chip]:
    """The chips; reads the names of departments only if a filter names one."""
    wanted = request.filters.department_ids
    departments = await list_seen_departments(session.portal.id, session.viewer.sees) if wanted else []
    known = {department.department_id: department.name for department in departments}
    return list_chips(request.filters, parameters, Names(names, known), presenter)


def choose_zone(session: Session, parameters: Mapping[str, str]) -> tzinfo:
    """The zone of the portal or of the user's profile, else the browser's, which the page sends as `zone`."""
    return session.zone if session.time_zone else read_zone(parameters.get("zone", ""))


def read_list_request(session: Session, parameters: Mapping[str, str], now: int) -> ListRequest:
    """The request in the log's parameters: those of the API, and besides `period` and `zone`.
    Raises BadFilter.
    """
    zone = choose_zone(session, parameters)
    return parse_list_request(apply_period(parameters, to_local(now, zone).date()), zone)
