"""Links to recordings. A link opens one recorded leg for one user of one portal, for ten minutes."""

from typing import Annotated

import msgspec
from litestar import Response, post, route
from litestar.enums import HttpMethod
from litestar.params import FromPath, QueryParameter
from litestar.status_codes import HTTP_200_OK
from litestar.types import ASGIApp

from app.bitrix24.methods.recordings import RecordedLeg
from app.calls.log.recordings import Playback, RecordingNotFound
from app.kit.byte_ranges import parse_range
from app.kit.crypto import CannotDecryptError, Keyring
from app.kit.messages.errors import Forbidden
from app.kit.messages.words import N_
from app.web.call.audio_stream import AudioAnswer
from app.web.http.parts import GivenParts, WebParts
from app.web.http.requests import BEARER, AnyRequest, GivenSession
from app.web.http.security import data_headers
from app.web.http.sessions import Session, SessionClaims, SessionExpired

LIFETIME_S = 600
CONTEXT = "recording"


class LinkExpired(Forbidden):
    """The link is not ours, or has expired."""

    code = "link_expired"
    message = N_("This link has expired. Open the call again.")


class RecordingClaims(msgspec.Struct, frozen=True):
    """The contents of a link: the listener's session, which ends with the link, and the leg of the call.

    A session made the link. At the beginning of that session Bitrix24 said whether the listener is an
    administrator. This counts until `admin_until`, the end of that session.
    """

    session: SessionClaims
    admin_until: int
    call_id: str
    statistics_id: int

    def at(self, now: int, expires_at: int | None = None) -> SessionClaims:
        """The listener's session at `now`; `expires_at` replaces its end, if given."""
        return msgspec.structs.replace(
            self.session,
            is_admin=self.session.is_admin and now < self.admin_until,
            expires_at=expires_at or self.session.expires_at,
        )


class RecordingLink(msgspec.Struct, frozen=True):
    """A link that plays without a session, and its life in seconds."""

    url: str
    expires_in: int


def seal_link(keyring: Keyring, claims: RecordingClaims) -> str:
    """The last part of the link: the claims, sealed, so that nobody can read or change them."""
    return keyring.seal(msgspec.json.encode(claims), CONTEXT)


def open_link(keyring: Keyring, token: str) -> RecordingClaims:
    """The claims in a link's last part. Raises LinkExpired if it was not sealed as a link."""
    try:
        return msgspec.json.decode(keyring.open(token, CONTEXT), type=RecordingClaims)
    except (CannotDecryptError, msgspec.MsgspecError):
        raise LinkExpired from None


@post("/api/v1/calls/{call_id:str}/recording", status_code=HTTP_200_OK, tags=["calls"], security=BEARER)
async def link_recording(
    call_id: FromPath[str],
    parts: GivenParts,
    session: GivenSession,
    leg: Annotated[
        int, QueryParameter(ge=1, le=1000, description="Number of the call's recorded leg, in order of time.")
    ] = 1,
) -> Response[RecordingLink]:
    """Make a link that plays the recording for ten minutes, as long as you may see the call."""
    recorded = await parts.recordings.list_recorded(session.viewer, call_id)
    if leg > len(recorded):
        raise RecordingNotFound
    own_time = msgspec.structs.replace(session.claims, expires_at=parts.clock.now() + LIFETIME_S)
    claims = RecordingClaims(own_time, session.claims.expires_at, call_id, recorded[leg - 1].statistics_id)
    token = seal_link(parts.sessions.keyring, claims)
    link = RecordingLink(f"{parts.settings.app_url}/audio/{token}", LIFETIME_S)
    return Response(link, headers=data_headers())


@route("/audio/{token:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False)
async def play_recording(request: AnyRequest, token: FromPath[str], parts: GivenParts) -> ASGIApp:
    """The recording, or the requested range of it. The link stands for a session, which a page's media
    element cannot send.
    """
    claims = open_link(parts.sessions.keyring, token)
    asked = parse_range(request.headers.get("range"))
    session, leg = await _admit(parts, claims, claims.at(parts.clock.now()))

    async def open_playback() -> Playback:
        return await parts.recordings.open(session.portal, leg, asked)

    async def recheck() -> object:
        """Refuse if the portal has uninstalled or the listener may no longer see the call. The link's own end
        does not count: an answer that began in time may go on.
        """
        now = parts.clock.now()
        return await _admit(parts, claims, claims.at(now, expires_at=now + LIFETIME_S))

    return AudioAnswer(
        lambda: parts.audio_places.take(session.portal.id, claims.session.user_id),
        open_playback,
        recheck,
    )


async def _admit(
    parts: WebParts, claims: RecordingClaims, listener: SessionClaims
) -> tuple[Session, RecordedLeg]:
    """The listener's session and the leg as they are now. Raises a Refusal if the listener may
    not listen now.
    """
    try:
        session = await parts.sessions.renew(listener)
    except SessionExpired:
        raise LinkExpired from None
    recorded = await parts.recordings.list_recorded(session.viewer, claims.call_id)
    for leg in recorded:
        if leg.statistics_id == claims.statistics_id:
            return session, leg
    raise RecordingNotFound


HANDLERS = [link_recording, play_recording]
