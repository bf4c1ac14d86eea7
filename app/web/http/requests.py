"""The arguments of handlers: parts, session and client address of a request. Litestar calls the providers."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from app.bitrix24.incoming.payloads import MalformedPage, Page, decode_page
from app.kit.messages.errors import Forbidden
from app.web.http.answer_turns import take_turn
from app.web.http.client_address import read_client_address
from app.web.http.languages import remember_locale
from app.web.http.parts import WebParts
from app.web.http.sessions import Session, SessionExpired

MAX_BODY_BYTES = 65_536
AnyRequest = Request[Any, Any, Any]
BEARER: list[dict[str, list[Any]]] = [
    {"session": []}
]  # Tells readers of /schema that a handler needs a session.


def provide_parts(request: AnyRequest) -> WebParts:
    """The wired parts of this process."""
    parts: WebParts = request.app.state.parts
    return parts


async def provide_session(request: AnyRequest) -> Session:
    """The request's session, once it is the request's turn. Raises SessionExpired or PortalUninstalled (401),
    or as `take_turn` does.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise SessionExpired
    parts = provide_parts(request)
    claims = parts.sessions.open_token(token.strip())
    await take_turn(request.scope, parts.answers, claims.portal_id, claims.user_id)
    session = await parts.sessions.renew(claims)
    remember_locale(request, session.locale)
    return session


def provide_client_address(request: AnyRequest) -> str:
    """The client's address, by which limits count."""
    return read_client_address(request, provide_parts(request).settings.trusted_proxies)


async def read_page(request: AnyRequest) -> Page:
    """The form that the portal posted to open a page. Raises Forbidden if no portal would have posted it.

    The framework's form parser is not used: it keeps bodies, and with them tokens, in a cache, and misreads
    UTF-8.
    """
    try:
        return decode_page(dict(request.query_params), await request.body())
    except MalformedPage as error:
        raise Forbidden(code="malformed_page") from error


GivenSession = NamedDependency[SkipValidation[Session]]
GivenClientAddress = NamedDependency[str]
DEPENDENCIES = {
    "parts": Provide(provide_parts, sync_to_thread=False),
    "session": Provide(provide_session),
    "client_address": Provide(provide_client_address, sync_to_thread=False),
}
