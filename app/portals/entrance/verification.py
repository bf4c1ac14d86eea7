"""Proof of the portal and the person behind a request: by the authorization server, then by the portal. The
request itself proves nothing.

Documentation: api-reference/common/system/app-info.md, api-reference/common/users/profile.md,
settings/oauth.
"""

import hmac

import structlog

from app.bitrix24.errors import (
    APP_GONE,
    DEAD_GRANT,
    PORTAL_REFUSES,
    TOKEN_REFUSED,
    AddressRefused,
    BitrixError,
    Unreachable,
)
from app.bitrix24.methods.profile import Profile, fetch_profile
from app.bitrix24.rest.oauth import AppInfo, AuthorizationServer
from app.bitrix24.transport.address_policy import AddressPolicy
from app.kit.clock import Clock
from app.kit.fairness.budget import Limits
from app.kit.limited_memory import LimitedMemory
from app.kit.messages.errors import Forbidden, Refusal, Unavailable
from app.kit.messages.words import N_
from app.kit.metrics import REFUSALS
from app.portals.contact import find_state
from app.portals.entrance.admission import Admission, Claim
from app.portals.outbound.clients import PortalClients
from app.portals.states.refusals import PortalRefuses
from app.portals.tokens.purchases import NotNow, Purse, buy
from app.portals.tokens.refresh_budget import Cause

log = structlog.get_logger(__name__)
ASSUMED_LIFETIME_S = 3600
MAX_PROOFS = 10_000
AWAY = N_("Bitrix24's authorization server is not answering right now. Try again in a minute.")
PORTAL_AWAY = N_("Your Bitrix24 is not answering right now. Reload the page in a minute.")
REJECTED = N_("Reload the page: your Bitrix24 session has ended.")
WRONG_APP = N_(
    "The application keys of this Bitrix24 are not the keys of this Callbook installation. A local "
    "application has its own keys in each Bitrix24, so each needs its own Callbook installation."
)


class Verifier:
    """Asks the authorization server about tokens, and remembers its answers."""

    def __init__(
        self,
        authorization_server: AuthorizationServer,
        policy: AddressPolicy,
        clients: PortalClients,
        client_id: str,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._server = authorization_server
        self._policy = policy
        self._clients = clients
        self._client_id = client_id
        self._clock = clock
        self._admission = Admission(clock, limits)
        self._proofs = LimitedMemory[str, tuple[AppInfo, int]](MAX_PROOFS)

    async def prove(self, claim: Claim, *, is_fresh: bool = False) -> AppInfo:
        """The authorization server's word that this token is ours, alive and of this portal; raises a Refusal
        if it is not.

        The answer is kept under the token's SHA-256 until the token expires; with `is_fresh` the server is
        asked even so. A refused token is remembered for ten minutes. An answer that says nothing about the
        token raises Unavailable and is not remembered.
        """
        kept = self._proofs.get(claim.key)
        if kept is not None and kept[1] > self._clock.now() and not is_fresh:
            return kept[0]
        if self._admission.is_rejected(claim):  # Logged at its first refusal only: a flood repeats itself.
            raise _count(Forbidden(REJECTED, code="token_rejected"))
        give_back = self._admission.admit(claim)
        try:
            info = await self._ask(claim)
        except Forbidden:
            self._admission.reject(claim)
            raise
        give_back()
        self._admission.welcome(claim)
        self._remember(claim, info)
        return info

    def choose_server(self, endpoint: str | None) -> str:
        """This server if it is listed, else the first listed one, so that a claim costs one question."""
        try:
            return self._policy.check_oauth(endpoint)
        except AddressRefused:
            return self._policy.check_oauth(None)

    async def renew(self, claim: Claim, purse: Purse) -> None:
        """Buy a new pair in place of one that has expired; the purchase counts as a question.

        Raises a Refusal as `prove` does, and Unavailable if the last purchase is too recent. The new pair
        proves nothing yet: `prove` asks for its portal.
        """
        give_back = self._admission.admit(claim)
        try:
            await buy(self._server, purse, Cause.OWN_WORK, self._clock)
        except NotNow as refusal:
            give_back()
            raise Unavailable(AWAY) from refusal
        except AddressRefused as error:
            raise self._refuse(claim, "authorization_server_refused", error.message) from error
        except Unreachable as error:
            raise Unavailable(AWAY) from error
        except BitrixError as error:
            if error.code not in DEAD_GRANT | APP_GONE:
                raise Unavailable(AWAY) from error
            raise self._refuse(claim, "token_rejected", REJECTED) from error
        give_back()

    async def identify(self, client_endpoint: str, claim: Claim) -> Profile:
        """The user that the token acts for, as the portal itself answers; asked for each session."""
        try:
            client = self._clients.open(client_endpoint, claim.member_id)
            return await fetch_profile(client, claim.access_token)
        except AddressRefused as error:
            raise self._refuse(claim, error.code, error.message) from error
        except Unreachable as error:
            raise Unavailable(PORTAL_AWAY) from error
        except BitrixError as error:
            if state := find_state(error, is_of_profile=True):
                raise self._refuse_now(claim, PortalRefuses(state)) from error
            if error.code not in TOKEN_REFUSED | PORTAL_REFUSES:
                raise Unavailable(PORTAL_AWAY) from error
            message = N_("Bitrix24 does not confirm this user. Reload the page.")
            raise self._refuse(claim, "profile_refused", message) from error

    async def _ask(self, claim: Claim) -> AppInfo:
        try:
            server = self._policy.check_oauth(claim.server_endpoint) if claim.server_endpoint else None
            info = await self._server.app_info(claim.access_token, server, claim.member_id)
        except AddressRefused as error:
            raise self._refuse(claim, "authorization_server_refused", error.message) from error
        except Unreachable as error:
            raise Unavailable(AWAY) from error
        except BitrixError as error:
            if state := find_state(error):
                raise self._refuse_now(claim, PortalRefuses(state)) from error
            if error.code not in TOKEN_REFUSED:
                raise Unavailable(AWAY) from error
            raise self._refuse(claim, "token_rejected", REJECTED) from error
        if not hmac.compare_digest(info.client_id.encode(), self._client_id.encode()):
            raise self._refuse(claim, "wrong_app", WRONG_APP)
        if not hmac.compare_digest(info.member_id.lower().encode(), claim.member_id.encode()):
            raise self._refuse(
                claim,
                "wrong_portal",
                N_("This token belongs to another Bitrix24. Open Callbook from your Bitrix24 again."),
            )
        return info

    def _remember(self, claim: Claim, info: AppInfo) -> None:
        lifetime_s = ASSUMED_LIFETIME_S
        if info.expires_at is not None:
            lifetime_s = max(0, min(ASSUMED_LIFETIME_S, info.expires_at - self._clock.now()))
        self._proofs[claim.key] = (info, self._clock.now() + lifetime_s)

    def _refuse(self, claim: Claim, code: str, message: str) -> Refusal:
        return self._refuse_now(claim, Forbidden(message, code=code))

    def _refuse_now(self, claim: Claim, refusal: Refusal) -> Refusal:
        log.warning("refused", code=refusal.code, member_id=claim.member_id, source=claim.client_address)
        return _count(refusal)


def _count(refusal: Refusal) -> Refusal:
    REFUSALS.labels(refusal.code).inc()
    return refusal
