"""Sessions of the tab: a sealed token of ten minutes, no cookie, ended at once by an uninstall.

The token says who looks; what the portal is and whose calls they see, each request reads anew, so no memory
outlives it.
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
from app.kit.fairness.lanes import claim_lane
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
    """The token is missing, not ours, or over its time."""

    status = 401
    code = "session_expired"
    message = N_("Your session has ended. Open Callbook from your Bitrix24 again.")


class PortalUninstalled(Refusal):
    """The portal removed Callbook, or installed it anew, since the token was given."""

    status = 401
    code = "portal_uninstalled"
    message = N_("Callbook was removed from your Bitrix24. Install it again to see your calls.")


class SessionClaims(msgspec.Struct, frozen=True):
    """What the token holds."""

    portal_id: int
    generation: int
    user_id: int
    is_admin: bool
    time_zone: str
    locale: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Session:
    """A request that was let in: its claims, the portal as it is now, and whose calls it may see now."""

    claims: SessionClaims
    portal: Portal
    settings: PortalSettings
    viewer: Viewer

    @property
    def locale(self) -> str:
        """The language that the user reads, one of LANGUAGES: the portal's, if it has set one."""
        return self.settings.locale if self.settings.locale in LANGUAGES else self.claims.locale

    @property
    def time_zone(self) -> str:
        """The name of the zone of all times: the portal's, if it has set one, else the user's; empty when
        neither is known, and then the browser's is asked for.
        """
        return self.settings.time_zone or self.claims.time_zone

    @property
    def zone(self) -> tzinfo:
        """That zone; UTC when none is known."""
        return read_zone(self.time_zone)


class FindVisible(Protocol):
    """The rule about who sees whose calls."""

    async def __call__(
        self, portal: Portal, settings: PortalSettings, user_id: int, *, is_admin: bool
    ) -> Visible:
        """Whose calls a user of the portal may see now."""
        ...


class Sessions:
    """Gives tokens and reads them."""

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
        """Count an opening by this token; raises TooManyRequests when there are more than anybody needs.

        Each costs its portal a request, also where the token is proven already. Tokens are counted and not
        addresses, of which a whole office has one.
        """
        self._openings.spend(hashlib.sha256(access_token.encode()).hexdigest())

    def may_ask_portal(self, session: Session) -> bool:
        """Count a look of this user's that asks their portal something, as a transcript does; False when
        there are more than anybody needs: a portal admits two requests a second, which its reading needs too.
        """
        try:
            self._askings.spend(f"{session.portal.id}:{session.claims.user_id}")
        except TooManyRequests:
            return False
        return True

    async def open(self, portal: Portal, profile: Profile, locale: str) -> tuple[str, Session]:
        """Begin a session for a verified user: the token, and what a request with it would find."""
        claim_lane(portal.id, profile.user_id)
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
        """What a token holds; raises SessionExpired for what is none of ours."""
        try:
            return msgspec.json.decode(self.keyring.open(token, CONTEXT), type=SessionClaims)
        except (CannotDecryptError, msgspec.MsgspecError) as error:
            raise SessionExpired from error

    async def renew(self, claims: SessionClaims) -> Session:
        """The same session as it is now, for whoever holds on to one.

        Raises SessionExpired or PortalUninstalled.
        """
        claim_lane(claims.portal_id, claims.user_id)
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
    """A zone by its name (`Europe/Berlin`); UTC for what is none."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # ZoneInfo raises each of them for one kind of wrong name.
        return UTC


def _zone_name(profile: Profile) -> str:
    """Empty when the portal does not tell; the page then asks for times in the browser's zone.

    `TIME_ZONE_OFFSET` is no substitute: sources disagree whether it counts from UTC or from the server.
    """
    return profile.time_zone if read_zone(profile.time_zone) is not UTC else ""
