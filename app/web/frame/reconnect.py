"""One click that connects a portal again: an open tab gets a new pair of tokens from its frame and sends it
here.

An administrator's page does the same without a click (`app.portals.entrance.visits`). The click is for a tab
that is open already, and for a page that came without a refresh token.
"""

from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Response, post
from litestar.status_codes import HTTP_200_OK

from app.bitrix24.incoming.payloads import MalformedPage, Page, decode_page
from app.kit.json_values import decode_json
from app.kit.messages.errors import Forbidden
from app.kit.messages.words import N_
from app.portals import queries
from app.web.http.parts import GivenParts
from app.web.http.requests import MAX_BODY_BYTES, AnyRequest, GivenClientAddress
from app.web.http.security import data_headers

log = structlog.get_logger(__name__)


class ReconnectRequest(msgspec.Struct):
    """The pair that the frame's `refreshAuth` gave to the tab of the administrator."""

    member_id: str = ""
    auth_id: str = msgspec.field(default="")
    refresh_id: str = msgspec.field(default="")
    expires_in: int = 3600

    def __repr__(self) -> str:
        """Only the portal's id, for the rest is secret."""
        return f"ReconnectRequest({self.member_id!r})"


class ReconnectAnswer(msgspec.Struct, frozen=True):
    """The state of the connection now, as `token` in GET /api/v1/sync."""

    token: str


@post("/reconnect", status_code=HTTP_200_OK, request_max_body_size=MAX_BODY_BYTES, tags=["session"])
async def reconnect(
    request: AnyRequest, parts: GivenParts, client_address: GivenClientAddress
) -> Response[ReconnectAnswer]:
    """Take an administrator's pair and verify it like a page: `{"member_id", "auth_id", "refresh_id"}`."""
    page = _read(await request.body())
    parts.sessions.admit(page.auth_id)
    opened = await parts.opener.open_page(page, client_address)
    if not opened.profile.is_admin:
        message = N_("Only an administrator of this Bitrix24 can reconnect Callbook.")
        raise Forbidden(message, code="not_admin")
    portal = await queries.get_portal(opened.portal.id) or opened.portal
    await queries.want_lookup(portal.id, portal.generation, parts.clock.now())
    parts.changes.announce(portal.id)
    log.info("reconnected by a click", portal_id=portal.id, token_state=portal.token_state)
    return Response(ReconnectAnswer(portal.connection), headers=data_headers())


def _read(body: bytes) -> Page:
    """The posted pair as a page. Raises Forbidden if it is malformed or has no refresh token."""
    try:
        asked = decode_json(body, ReconnectRequest)
        form = {"member_id": asked.member_id, "AUTH_ID": asked.auth_id, "REFRESH_ID": asked.refresh_id}
        page = decode_page({}, urlencode(form | {"AUTH_EXPIRES": str(asked.expires_in)}).encode())
    except (msgspec.MsgspecError, MalformedPage, UnicodeEncodeError) as error:
        raise Forbidden(code="malformed_session_request") from error
    if not page.refresh_id:
        message = N_("The request has no refresh token. Open the page from Bitrix24.")
        raise Forbidden(message, code="no_refresh_token")
    return page
