"""The page of the portal's settings, for administrators. It shows in place of the log, and asks before a
change that removes calls.
"""

from typing import NamedTuple
from urllib.parse import parse_qsl

import structlog
from litestar import Response, get, post
from litestar.status_codes import HTTP_200_OK

from app.calls.log.stock_queries import Stock, count_before, find_stock, list_lines
from app.calls.removal.retention import store_settings
from app.kit.calendar import list_zones
from app.kit.messages.errors import Forbidden, Refusal
from app.kit.messages.languages import LANGUAGES
from app.kit.messages.words import N_, load_words
from app.people.department_queries import find_structure
from app.people.structure import Structure
from app.portals.settings.portal_settings import REACHES, RETENTION_MONTHS, PortalSettings
from app.portals.settings.visible_users import EVERYONE
from app.web.display.doubt import Doubt, view_doubt
from app.web.display.history_progress import HistoryView, view_history
from app.web.display.notice import Notice, view_notice
from app.web.display.presenter import Moment, Presenter, format_number, visible
from app.web.http.parts import GivenParts, WebParts
from app.web.http.requests import MAX_BODY_BYTES, AnyRequest, GivenSession
from app.web.http.security import data_headers
from app.web.http.sessions import PortalUninstalled, Session
from app.web.log.log_view import choose_zone
from app.web.settings.form import MAX_LINE_NAME, MAX_LINES, NOT_MATCHING, ROLES, check_settings

log = structlog.get_logger(__name__)
NOT_ADMIN = N_("Only an administrator of your Bitrix24 can see and change the settings.")
CONFIRM = "confirm_removal"


class Line(NamedTuple):
    """A line: its portal number as it came and as a person reads it, and its name."""

    number: str
    shown: str
    name: str


class State(NamedTuple):
    """How complete the log is, and the reasons why it is not more complete, in the viewer's language."""

    history: HistoryView
    notice: Notice | None
    stock: Stock
    oldest: Moment | None
    last_event: Moment | None
    owner: str
    doubt: Doubt | None


class SettingsView(NamedTuple):
    """The values of the template. `doomed` is the number of calls that the change would remove at once, if
    the administrator has to confirm that, else None.
    """

    settings: PortalSettings
    errors: dict[str, str]
    doomed: int | None
    is_saved: bool
    lines: list[Line]
    structure: Structure
    state: State
    zones: tuple[str, ...]


def require_admin(session: Session) -> None:
    """Raise Forbidden unless the user is an administrator."""
    if not session.claims.is_admin:
        raise Forbidden(NOT_ADMIN, code="not_admin")


@get("/settings", include_in_schema=False)
async def show_settings(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """The page as a fragment; 403 unless the user is an administrator."""
    require_admin(session)
    return await _render(request, parts, session)


@post("/settings", status_code=HTTP_200_OK, include_in_schema=False, request_max_body_size=MAX_BODY_BYTES)
async def change_settings(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """Store the form and show it. If a field is wrong or a removal is not confirmed yet, store nothing, and
    show a form that says so. That is a 200 too, because a browser's console reports any other as an error.
    """
    require_admin(session)
    pairs = _read_pairs(await request.body())
    given, errors = check_settings(pairs, session.settings)
    doomed = None if errors else await _count_doomed(session, given, parts.clock.now())
    is_confirmed = (CONFIRM, "1") in pairs
    if errors or (doomed and not is_confirmed):
        return await _render(request, parts, session, given, errors, doomed)
    await _store(parts, session, given)
    renewed = await parts.sessions.renew(session.claims)
    return await _render(request, parts, renewed, is_saved=True)


def _read_pairs(body: bytes) -> list[tuple[str, str]]:
    """The form's fields in order. Raises Refusal if there are more than the page can have."""
    text = body.decode("utf-8", "replace")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=4 * MAX_LINES)
    except ValueError:
        raise Refusal(NOT_MATCHING, code="too_many_fields") from None


async def _count_doomed(session: Session, given: PortalSettings, now: int) -> int:
    """How many calls a shorter retention would remove at once."""
    kept_from, kept_until_now_from = given.kept_from(now), session.settings.kept_from(now)
    if kept_from is None or (kept_until_now_from is not None and kept_until_now_from >= kept_from):
        return 0
    return await count_before(session.portal.id, EVERYONE, kept_from)


async def _store(parts: WebParts, session: Session, given: PortalSettings) -> None:
    portal, user_id = session.portal, session.claims.user_id
    if not await store_settings(portal, given, user_id, parts.clock.now(), parts.database):
        raise PortalUninstalled
    names = [
        name for name in given.__struct_fields__ if getattr(given, name) != getattr(session.settings, name)
    ]
    log.info("settings changed", portal_id=portal.id, changed=names)
    parts.changes.announce(portal.id)


async def _render(
    request: AnyRequest,
    parts: WebParts,
    session: Session,
    given: PortalSettings | None = None,
    errors: dict[str, str] | None = None,
    doomed: int | None = None,
    *,
    is_saved: bool = False,
) -> Response[str]:
    settings = given or session.settings
    words = load_words(session.locale)
    view = SettingsView(
        settings=settings,
        errors={name: words.gettext(sentence) for name, sentence in (errors or {}).items()},
        doomed=doomed or None,
        is_saved=is_saved,
        lines=await _list_lines(session, settings),
        structure=await find_structure(session.portal.id),
        state=await _view_state(request, parts, session),
        zones=list_zones(),
    )
    return parts.pages.render(
        "portal_settings.html",
        data_headers(),
        session.locale,
        view=view,
        session=session,
        roles=ROLES,
        reaches=REACHES,
        retentions=RETENTION_MONTHS,
        languages=LANGUAGES,
        max_line_name=MAX_LINE_NAME,
    )


async def _list_lines(session: Session, settings: PortalSettings) -> list[Line]:
    seen = await list_lines(session.portal.id, EVERYONE)
    numbers = sorted({*seen[:MAX_LINES], *session.settings.line_names, *settings.line_names})
    return [
        Line(number, visible(format_number(number)), settings.line_names.get(number, ""))
        for number in numbers
    ]


async def _view_state(request: AnyRequest, parts: WebParts, session: Session) -> State:
    portal, clock = session.portal, parts.clock
    presenter = Presenter(
        zone=choose_zone(session, dict(request.query_params)), locale=session.locale, now=clock.now()
    )
    history = await view_history(session, presenter)
    stock = await find_stock(portal.id, EVERYONE)
    names = await parts.people.find_names(portal, [portal.token_user_id])
    moments = [
        None if at is None else presenter.describe_moment(at)
        for at in (stock.oldest_at, portal.last_event_at)
    ]
    return State(
        history=history,
        notice=await view_notice(parts, session, history.failure_code),
        stock=stock,
        oldest=moments[0],
        last_event=moments[1],
        owner=names.get(portal.token_user_id or 0, ""),
        doubt=await view_doubt(session, parts.people, is_any_doubted=False),
    )


HANDLERS = [show_settings, change_settings]
