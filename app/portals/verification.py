"""Who is asking: proof by the authorization server, then by the portal; nothing in a request is proof by
itself.

Documentation: api-reference/common/system/app-info.md, api-reference/common/users/profile.md,
settings/oauth.
"""

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass

import structlog

from app.bitrix24.address import AddressPolicy
from app.bitrix24.errors import AddressRefused, BitrixError, Unreachable
from app.bitrix24.oauth import AppInfo, AuthorizationServer
from app.bitrix24.profile import Profile, fetch_profile
from app.kit.clock import Clock
from app.kit.errors import Forbidden, Refusal, Unavailable
from app.kit.metrics import REFUSALS
from app.portals.budget import Budget, Limits, RecentlySeen
from app.portals.clients import PortalClients

log = structlog.get_logger(__name__)
REJECTED_FOR_S = 600
ASSUMED_LIFETIME_S = 3600
MAX_PROOFS = 10_000


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of itself and has yet to prove."""

    member_id: str
    access_token: str
    server_endpoint: str | None
    source: str


class Verifier:
    """Asks the authorization server about tokens, remembers its answers, and stays within its budgets."""

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
        self._rejected = RecentlySeen(clock)
        self._welcome = RecentlySeen(clock)
        self._by_source = Budget(clock, limits.rejections_per_source)
        self._by_portal = Budget(clock, limits.rejections_per_portal)
        self._proofs: OrderedDict[str, tuple[AppInfo, int]] = OrderedDict()

    async def prove(self, claim: Claim) -> AppInfo:
        """The authorization server's word that this token is ours, alive and of this portal; else a Refusal.

        Its answer is kept by the token's SHA-256 until the token expires; a rejected token for ten minutes.
        Guesses are paid from a budget by source and by portal, so that a flood of them causes few outbound
        calls.
        """
        key = hashlib.sha256(f"{claim.member_id}:{claim.access_token}".encode()).hexdigest()
        kept = self._proofs.get(key)
        if kept is not None and kept[1] > self._clock.now():
            return kept[0]
        if key in self._rejected:
            raise self._refuse(
                claim, "token_rejected", "Reload the page: this session of Bitrix24 has ended."
            )
        self._spend(claim)
        try:
            info = await self._ask(claim)
        except Forbidden:
            self._rejected.remember(key, REJECTED_FOR_S)
            raise
        except BaseException:
            self._give_back(claim)
            raise
        self._give_back(claim)
        self._remember(key, info, claim)
        return info

    async def identify(self, client_endpoint: str, claim: Claim) -> Profile:
        """The user whom the token acts for, by the portal itself; asked for each session."""
        try:
            client = self._clients.open(client_endpoint, claim.member_id)
            return await fetch_profile(client, claim.access_token)
        except AddressRefused as error:
            raise self._refuse(claim, error.code, error.message) from error
        except BitrixError as error:
            raise self._refuse(
                claim, "profile_refused", "Bitrix24 does not confirm this user. Reload the page."
            ) from error
        except Unreachable as error:
            raise Unavailable(
                "Your Bitrix24 does not answer just now. Reload the page in a minute."
            ) from error

    async def _ask(self, claim: Claim) -> AppInfo:
        try:
            server = self._policy.check_oauth(claim.server_endpoint) if claim.server_endpoint else None
            info = await self._server.app_info(claim.access_token, server, claim.member_id)
        except AddressRefused as error:
            raise self._refuse(claim, "authorization_server_refused", error.message) from error
        except BitrixError as error:
            raise self._refuse(
                claim, "token_rejected", "Reload the page: this session of Bitrix24 has ended."
            ) from error
        except Unreachable as error:
            raise Unavailable(
                "Bitrix24's authorization server does not answer just now. Try again in a minute."
            ) from error
        if not hmac.compare_digest(info.client_id.encode(), self._client_id.encode()):
            raise self._refuse(claim, "wrong_app", WRONG_APP)
        if not hmac.compare_digest(info.member_id.lower().encode(), claim.member_id.encode()):
            raise self._refuse(claim, "wrong_portal", "This token belongs to another Bitrix24.")
        return info

    def _spend(self, claim: Claim) -> None:
        """Pay before asking, so that many guesses at once are not all asked before the first one counts."""
        self._by_source.spend(claim.source)
        if not self._is_welcome(claim):
            self._by_portal.spend(claim.member_id)

    def _give_back(self, claim: Claim) -> None:
        self._by_source.give_back(claim.source)
        if not self._is_welcome(claim):
            self._by_portal.give_back(claim.member_id)

    def _is_welcome(self, claim: Claim) -> bool:
        """Whether somebody of this portal came from this source before: strangers cannot lock them out."""
        return f"{claim.member_id}:{claim.source}" in self._welcome

    def _remember(self, key: str, info: AppInfo, claim: Claim) -> None:
        lifetime_s = ASSUMED_LIFETIME_S
        if info.expires_at is not None:
            lifetime_s = max(0, min(ASSUMED_LIFETIME_S, info.expires_at - self._clock.now()))
        self._proofs[key] = (info, self._clock.now() + lifetime_s)
        if len(self._proofs) > MAX_PROOFS:
            self._proofs.popitem(last=False)
        self._welcome.remember(f"{claim.member_id}:{claim.source}", 24 * 3600)

    def _refuse(self, claim: Claim, code: str, message: str) -> Refusal:
        log.warning("refused", code=code, member_id=claim.member_id, source=claim.source)
        REFUSALS.labels(code).inc()
        return Forbidden(message, code=code)


WRONG_APP = (
    "This Bitrix24 uses other application keys than this installation of Callbook. "
    "A local application has its own keys in each portal and so needs an installation of its own."
)
