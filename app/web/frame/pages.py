"""The pages that a portal opens in its frame, and the pages at the same addresses for other browsers."""

from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Response, get, head, post
from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_200_OK
from litestar.types import ExceptionHandlersMap

from app.bitrix24.incoming.payloads import MalformedPage, decode_page
from app.bitrix24.methods.cards import CARDS
from app.kit.json_values import decode_json
from app.kit.messages.errors import Forbidden, Refusal
from app.kit.messages.words import N_, load_words
from app.kit.metrics import REFUSALS
from app.kit.storage.database import DATABASE_ERRORS, is_refusal
from app.web.display.links import read_wanted
from app.web.display.people_names import meet_people
from app.web.frame.card_tab import render_card
from app.web.http.answer_turns import take_turn
from app.web.http.errors import refuse_for, retry_headers
from app.web.http.languages import choose_locale, read_locale
from app.web.http.parts import GivenParts
from app.web.http.requests import MAX_BODY_BYTES, AnyRequest, GivenClientAddress, provide_parts, read_page
from app.web.http.security import data_headers, session_headers, static_page_headers
from app.web.http.sessions import LIFETIME_S
from app.web.log.opened_log import find_wanted_view, open_log
from app.web.log.views import make_menu

log = structlog.get_logger(__name__)


class SessionRequest(msgspec.Struct):
    """A request for a session: the portal, the token that its page has, and the language of the page.

    `lang` is a language tag or a portal's LANG; without it the portal's own language counts.
    """

    member_id: str = ""
    auth_id: str = ""
    lang: str = ""


class SessionAnswer(msgspec.Struct):
    """A session token and its life in seconds."""

    token: str
    expires_in: int


class BrokenPage(Refusal):
    """A fault of ours, as the user in the frame reads it."""

    status = 500
    code = "internal_error"
    message = N_("Something went wrong on our side. Reload the page in a minute.")


class TooLargePage(Refusal):
    """A longer form than any portal posts."""

    status = 413
    code = "too_large"


def refuse_page(request: AnyRequest, refusal: Refusal) -> Response[str]:
    """The page of a refusal, which says what the user can do."""
    REFUSALS.labels(refusal.code).inc()
    parts = provide_parts(request)
    headers = {**static_page_headers(parts.settings), **retry_headers(refusal)}
    locale = read_locale(request)
    words = load_words(locale)
    title, message = words.gettext(refusal.title), refusal.say(words)
    return parts.pages.render("refusal.html", headers, locale, refusal.status, title=title, message=message)


def refuse_broken_page(request: AnyRequest, error: Exception) -> Response[str]:
    """The page of any other error: a user in a frame reads pages, no JSON."""
    if isinstance(error, HTTPException) and error.status_code < BrokenPage.status:
        return refuse_page(request, TooLargePage() if error.status_code == TooLargePage.status else Refusal())
    is_database = isinstance(error, DATABASE_ERRORS)
    log.error("page failed", path=request.url.path, exc_info=None if is_database else error)
    return refuse_page(request, refuse_for(error) if is_database and not is_refusal(error) else BrokenPage())


PAGE_EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    Refusal: refuse_page,
    HTTPException: refuse_broken_page,
    **dict.fromkeys(DATABASE_ERRORS, refuse_broken_page),
    Exception: refuse_broken_page,
}


@post(
    "/",
    status_code=HTTP_200_OK,
    include_in_schema=False,
    request_max_body_size=MAX_BODY_BYTES,
    exception_handlers=PAGE_EXCEPTION_HANDLERS,
)
async def open_app(
    request: AnyRequest, parts: GivenParts, client_address: GivenClientAddress
) -> Response[str]:
    """The log, or a card's tab, for the verified user of an installed portal; else a page that says what to
    do (403).
    """
    page = await read_page(request)
    parts.sessions.admit(page.auth_id)
    opened = await parts.opener.open_page(page, client_address)
    await take_turn(request.scope, parts.answers, opened.portal.id, opened.profile.user_id)
    locale = choose_locale(page.lang)
    token, session = await parts.sessions.open(opened.portal, opened.profile, locale)
    if opened.profile.is_admin:
        parts.reconciliation.welcome(opened.portal)
    await meet_people(parts, session)
    if page.placement in CARDS:
        return await render_card(parts, session, token, page)
    wanted = read_wanted(page.placement_options)
    view = await find_wanted_view(session, wanted.view)
    return parts.pages.render(
        "log.html",
        session_headers(opened.portal.client_endpoint),
        session.locale,
        token=token,
        lifetime_s=LIFETIME_S,
        menu=await make_menu(parts, session, view.id if view else None),
        is_view_missing=wanted.view is not None and view is None,
        wanted_call=wanted.call,
        **await open_log(parts, session, view, number=wanted.number),
    )


@post("/session", status_code=HTTP_200_OK, request_max_body_size=MAX_BODY_BYTES, tags=["session"])
async def open_session(
    request: AnyRequest, parts: GivenParts, client_address: GivenClientAddress
) -> Response[SessionAnswer]:
    """Begin a session with the token of a portal's page: `{"member_id", "auth_id"}`."""
    try:
        asked = decode_json(await request.body(), SessionRequest)
        form = urlencode({"member_id": asked.member_id, "AUTH_ID": asked.auth_id})
        page = decode_page({}, form.encode())
    except (msgspec.MsgspecError, MalformedPage, UnicodeEncodeError) as error:
        raise Forbidden(code="malformed_session_request") from error
    parts.sessions.admit(page.auth_id)
    opened = await parts.opener.open_session(page.member_id, page.auth_id, client_address)
    locale = choose_locale(asked.lang or opened.portal.language)
    token, _ = await parts.sessions.open(opened.portal, opened.profile, locale)
    return Response(SessionAnswer(token, LIFETIME_S), headers=data_headers())


@get("/", include_in_schema=False)
async def show_where(request: AnyRequest, parts: GivenParts) -> Response[str]:
    """The page for a browser that opens the address outside Bitrix24."""
    return parts.pages.render("where.html", static_page_headers(parts.settings), read_locale(request))


@head(["/", "/install"], include_in_schema=False)
async def check_page(parts: GivenParts) -> Response[None]:
    """200 for Bitrix24's vendor area, which asks whether the address answers."""
    return Response(None, headers=static_page_headers(parts.settings))


@get("/licence", include_in_schema=False)
async def show_licence(request: AnyRequest, parts: GivenParts) -> Response[str]:
    """The licence, for the app's card in the Marketplace."""
    return parts.pages.render("licence.html", static_page_headers(parts.settings), read_locale(request))


@get("/privacy", include_in_schema=False)
async def show_privacy(request: AnyRequest, parts: GivenParts) -> Response[str]:
    """The privacy page, for the app's card in the Marketplace: the stored data, for how long,
    and its erasure.
    """
    return parts.pages.render("privacy.html", static_page_headers(parts.settings), read_locale(request))


HANDLERS = [open_app, open_session, show_where, check_page, show_licence, show_privacy]
