"""The installation wizard in the portal's frame: the server does the work, the page shows it."""

from functools import partial

import msgspec
from litestar import Response, get, post
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from app.kit.messages.errors import Forbidden
from app.kit.messages.words import N_, Words, load_words
from app.portals.entrance.setup import SETUP, Step, is_stalled, read_steps
from app.portals.model import Portal
from app.web.frame.pages import PAGE_EXCEPTION_HANDLERS
from app.web.http.languages import choose_locale, read_locale
from app.web.http.parts import GivenParts
from app.web.http.requests import MAX_BODY_BYTES, AnyRequest, GivenClientAddress, GivenSession, read_page
from app.web.http.security import data_headers, session_headers, static_page_headers
from app.web.http.sessions import LIFETIME_S

STEPS = ("verified", "events", "placement", "cards")


class StepView(msgspec.Struct, frozen=True):
    """One step as the page shows it. If it failed, `message` is Bitrix24's code, and `remedy`
    says what to do.
    """

    name: str
    state: str
    message: str = ""
    remedy: str = ""


def view_steps(portal: Portal, words: Words) -> list[StepView]:
    """All steps in order, in a language; a step without a result yet is running."""
    noted: dict[str, Step] = {step.name: step for step in read_steps(portal)}
    return [_view(name, noted.get(name), words) for name in STEPS]


def _view(name: str, step: Step | None, words: Words) -> StepView:
    if step is None:
        return StepView(name, "running")
    return StepView(name, step.state, step.code, words.gettext(step.remedy))


@post(
    "/install",
    status_code=HTTP_200_OK,
    include_in_schema=False,
    request_max_body_size=MAX_BODY_BYTES,
    exception_handlers=PAGE_EXCEPTION_HANDLERS,
)
async def open_installer(
    request: AnyRequest, parts: GivenParts, client_address: GivenClientAddress
) -> Response[str]:
    """Install, and show the wizard's page, which displays the progress of the further steps. A refusal (403,
    429) is a page that says what to do.
    """
    page = await read_page(request)
    opened = await parts.installer.install_from_page(page, client_address)
    locale = choose_locale(page.lang)
    token, session = await parts.sessions.open(opened.portal, opened.profile, locale)
    return parts.pages.render(
        "install.html",
        session_headers(opened.portal.client_endpoint),
        session.locale,
        session=session,
        token=token,
        lifetime_s=LIFETIME_S,
        steps=view_steps(opened.portal, load_words(session.locale)),
    )


@get("/install", include_in_schema=False)
async def show_where_to_install(request: AnyRequest, parts: GivenParts) -> Response[str]:
    """The page for a browser that opens the address outside Bitrix24."""
    return parts.pages.render("where.html", static_page_headers(parts.settings), read_locale(request))


@get("/install/progress", include_in_schema=False)
async def show_progress(parts: GivenParts, session: GivenSession) -> Response[list[StepView]]:
    """The state of each step; steps that a restart cut off begin again."""
    if is_stalled(session.portal, parts.clock.now()):
        parts.turns.begin(SETUP, session.portal.id, partial(parts.setup.repeat, session.portal))
    return Response(view_steps(session.portal, load_words(session.locale)), headers=data_headers())


@post("/install/retry", status_code=HTTP_202_ACCEPTED, include_in_schema=False)
async def retry_steps(parts: GivenParts, session: GivenSession) -> Response[None]:
    """Do the steps once more, with the stored token of the administrator who installed Callbook."""
    if not session.claims.is_admin:
        raise Forbidden(N_("Only an administrator can finish the installation."), code="not_admin")
    await parts.turns.begin(SETUP, session.portal.id, partial(parts.setup.repeat, session.portal))
    return Response(None, headers=data_headers())


HANDLERS = [open_installer, show_where_to_install, show_progress, retry_steps]
