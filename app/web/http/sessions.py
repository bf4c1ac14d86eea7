"""Sessions of the tab: a sealed token of ten minutes, no cookie, ended at once by an uninstall.

The token names the user. Each request reads the portal and the rule of visibility again, so a change of them
takes effect at once.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from app.bitrix24.methods.profile import Profile
from app.calls.log.logged_calls import Viewer
from app.kit.clock import Clock
from app.kit.crypto import CannotDecryptError, Keyring
from app.kit.fairness.budget import Budget
from app.kit.fairness.lanes import name_lane
from app.kit.messages.errors import Refusal, TooManyRequests
from app.kit.messages.languages import LANGUAGES
from app.kit.messages.words import N_
from app.portals.model import Portal
from app.portals.settings.portal_settings import PortalSettings
from app.portals.settings.visible_users import Visible

LIFETIME_S = 600
OPENINGS_PER_MINUTE = 30  # Of the 120 requests that a portal admits; an honest tab needs one in ten minutes.
ASKINGS_PER_MINUTE = 30
CONTEXT = "session"


class SessionExpired(Refusal):
    """The token is missing, was not sealed by us, or has expired."""

    status = 401
    code = "session_expired"
    message = N_("Your session has ended. Open Callbook from your Bitrix24 again.")


class PortalUninstalled(Refusal):
    """The portal has removed Callbook, or installed it again, since the token was made."""

    status = 401
    code = "portal_uninstalled"
    message = N_("Callbook was removed from your Bitrix24. Install it again to see your calls.")


class SessionClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a token."""

    portal_id: int
    generation: int
    user_id: int
    is_admin: bool
    time_zone: str
    locale: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Session:
    """The session of one request: its claims, and the portal, its settings and the viewer as they are now."""

    claims: SessionClaims
    portal: Portal
    settings: PortalSettings
    viewer: Viewer

    @property
    def locale(self) -> str:
        """The user's language, one of LANGUAGES: the portal's setting if there is one, else
        that of the page.
        """
        return self.settings.locale if self.settings.locale in LANGUAGES else self.claims.locale

    @property
    def time_zone(self) -> str:
        """The name of the zone for all times: the portal's setting, else the user's zone. Empty if neither is
        known; the page then asks the browser for its zone.
        """
        return self.settings.time_zone or self.claims.time_zone

    @property
    def zone(self) -> tzinfo:
        """The zone of `time_zone`; UTC if none is known."""
        return read_zone(self.time_zone)


class FindVisible(Protocol):
    """The rule of visibility: whose calls a user may see."""

    async def __call__(
        self, portal: Portal, settings: PortalSettings, user_id: int, *, is_admin: bool
    ) -> Visible:
        """The users whose calls this user may see now, or everyone."""
        ...


class Sessions:
    """Makes tokens, and opens sessions by them."""

    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        find_portal: Callable[[int], Awaitable[Portal | None]],
        find_settings: Callable[[int], Awaitable[PortalSettings]],
        find_visible: FindVisible,
    ) -> None:
        self.keyring = keyring
        self.clock = clock
        self.find_portal = find_portal
        self._find_settings = find_settings
        self._find_visible = find_visible
        self._openings = Budget(clock, OPENINGS_PER_MINUTE)
        self._askings = Budget(clock, ASKINGS_PER_MINUTE)

    def admit(self, access_token: str) -> None:
        """Count an opening by this access token. Raises TooManyRequests beyond OPENINGS_PER_MINUTE.

        Each opening costs the portal a request, even if the token is proven already. The limit counts tokens
        and not addresses, because a whole office may share one address.
        """
        self._openings.spend(hashlib.sha256(access_token.encode()).hexdigest())

    def may_ask_portal(self, session: Session) -> bool:
        """Count a request of this user for which Callbook asks the portal, for example for a transcript.
        Returns False beyond ASKINGS_PER_MINUTE: a portal admits two requests a second, and the reads of its
        statistics need these too.
        """
        try:
            self._askings.spend(f"{session.portal.id}:{session.claims.user_id}")
        except TooManyRequests:
            return False
        return True

    async def open(self, portal: Portal, profile: Profile, locale: str) -> tuple[str, Session]:
        """Begin a session for a verified user; returns its token, and the session as a request
        would find it.
        """
        name_lane(portal.id, profile.user_id)
        claims = SessionClaims(
            portal_id=portal.id,
            generation=portal.generation,
            user_id=profile.user_id,
            is_admin=profile.is_admin,
            time_zone=_zone_name(profile),
            locale=locale,
            expires_at=self.clock.now() + LIFETIME_S,
        )
        token = self.keyring.seal(msgspec.json.encode(claims), CONTEXT)
        return token, await self._begin(claims, portal)

    def open_token(self, token: str) -> SessionClaims:
        """The contents of a token. Raises SessionExpired for a text that is no token of ours."""
        try:
            return msgspec.json.decode(self.keyring.open(token, CONTEXT), type=SessionClaims)
        except (CannotDecryptError, msgspec.MsgspecError) as error:
            raise SessionExpired from error

    async def renew(self, claims: SessionClaims) -> Session:
        """The session of these claims as it is now; a live stream renews its own again and again.

        Raises SessionExpired or PortalUninstalled.
        """
        name_lane(claims.portal_id, claims.user_id)
        if claims.expires_at <= self.clock.now():
            raise SessionExpired
        portal = await self.find_portal(claims.portal_id)
        if portal is None or not portal.is_installed or portal.generation != claims.generation:
            raise PortalUninstalled
        return await self._begin(claims, portal)

    async def _begin(self, claims: SessionClaims, portal: Portal) -> Session:
        settings = await self._find_settings(portal.id)
        visible = await self._find_visible(portal, settings, claims.user_id, is_admin=claims.is_admin)
        return Session(claims, portal, settings, Viewer(portal.id, claims.user_id, visible))


def read_zone(name: str) -> tzinfo:
    """A zone by its name (`Europe/Berlin`); UTC for a text that names none."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # ZoneInfo raises each of them for one kind of wrong name.
        return UTC


def _zone_name(profile: Profile) -> str:
    """The zone in the user's profile, or empty if there is none; the page then takes the browser's zone.

    `TIME_ZONE_OFFSET` is no substitute: sources disagree whether it counts from UTC or from the server.
    """
    return profile.time_zone if read_zone(profile.time_zone) is not UTC else ""
