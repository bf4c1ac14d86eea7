"""How far Callbook has read the portal's history, as the viewer reads it above the log."""

from typing import NamedTuple

from babel.numbers import format_decimal

from app.calls.space.room import Room
from app.calls.statistics.progress.mark_queries import find_mark
from app.calls.statistics.progress.marks import State
from app.portals.model import Portal
from app.portals.settings.visible_users import EVERYONE
from app.web.display.presenter import Moment, Presenter
from app.web.http.sessions import Session

Progress = tuple[object, ...]


class HistoryView(NamedTuple):
    """The values of the template. `share` is 0 to 1. `done` and `total` count everybody's calls, so they are
    empty unless the viewer may see all calls.
    """

    state: State
    share: float | None
    done: str
    total: str
    complete_up_to: Moment | None
    failure_code: str | None


async def view_history(session: Session, presenter: Presenter) -> HistoryView:
    """The progress of the history, in the viewer's language and time zone."""
    portal, locale = session.portal, session.locale
    mark = await find_mark(portal.id, portal.generation)
    if mark is None or not mark.has_begun:
        state, code = ("pending", None) if mark is None else (mark.history_state, mark.failure_code)
        return HistoryView(state=state, share=None, done="", total="", complete_up_to=None, failure_code=code)
    up_to = mark.complete_up_to
    sees_all = session.viewer.sees is EVERYONE
    return HistoryView(
        state=mark.history_state,
        share=mark.rows_done / max(mark.rows_total, mark.rows_done, 1),
        done=format_decimal(mark.rows_done, locale=locale) if sees_all else "",
        total=format_decimal(mark.rows_total, locale=locale) if sees_all else "",
        complete_up_to=None if up_to is None else presenter.describe_moment(up_to),
        failure_code=mark.failure_code,
    )


async def take_progress(portal: Portal, room: Room) -> Progress:
    """The facts that a page shows above the log; when they change, an open page reads the log again."""
    mark = await find_mark(portal.id, portal.generation)
    read = mark and (
        mark.history_state,
        mark.rows_done,
        mark.complete_up_to,
        mark.failure_code,
        mark.looked_at,
        mark.is_limited,
        mark.counts_all,
    )
    return read, await room.is_full(portal.id), _take_contact(portal)


def _take_contact(portal: Portal) -> Progress:
    """The facts of the notice (`app.web.display.notice`)."""
    licence = (portal.license_status, portal.license_ends_at, portal.is_license_over)
    return portal.connection, portal.contact_state, portal.token_user_id, *licence
