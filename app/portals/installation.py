"""Installing: by the installer page and by event, in any order, twice at once, on top of what is there.

A request is verified first (whose token, which portal, is the user an admin there), then one transaction
decides and stores. Bindings follow in the background, with that admin's token.
Documentation: settings/app-installation, api-reference/common/events/on-app-install.md.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog

from app.bitrix24.address import AddressPolicy
from app.bitrix24.errors import AddressRefused
from app.bitrix24.oauth import AppInfo
from app.bitrix24.payloads import Event, Page
from app.bitrix24.profile import Profile
from app.kit.background import Background
from app.kit.clock import Clock
from app.kit.database import Database
from app.kit.errors import Forbidden
from app.kit.words import N_
from app.portals import lifecycle, queries
from app.portals.admission import Claim
from app.portals.budget import Budget, Limits, Purse
from app.portals.lifecycle import Installation, OfferedPair
from app.portals.model import Portal
from app.portals.setup import begin_steps
from app.portals.sources import find_subscriber
from app.portals.vault import Vault
from app.portals.verification import Verifier

log = structlog.get_logger(__name__)
OVERALL = "all"
FollowUp = Callable[[Portal, str], Coroutine[Any, Any, None]]  # With the admin's access token.


@dataclass(frozen=True, slots=True)
class Opened:
    """A portal, and the person in whose name the request came."""

    portal: Portal
    profile: Profile


class Installer:
    """Stores verified installations and starts what follows them."""

    def __init__(
        self,
        verifier: Verifier,
        vault: Vault,
        policy: AddressPolicy,
        database: Database,
        clock: Clock,
        background: Background,
        limits: Limits,
        follow_up: FollowUp,
    ) -> None:
        self._verifier = verifier
        self._vault = vault
        self._policy = policy
        self._database = database
        self._clock = clock
        self._background = background
        self._follow_up = follow_up
        self._by_source = Budget(clock, limits.installations_per_source)
        self._by_member = Budget(clock, limits.installations_per_member)
        self._overall = Budget(clock, limits.installations_overall)

    async def install_from_page(self, page: Page, source: str) -> Opened:
        """What the installer page asks for; raises a Refusal, and then nothing has changed."""
        claim = Claim(page.member_id, page.auth_id, page.server_endpoint, source)
        info = await self._prove(claim)
        if page.domain and not _is_same_host(page.domain, info.domain):
            raise Forbidden(N_("The address of this request is not your Bitrix24's."), code="wrong_domain")
        pair = OfferedPair(
            page.auth_id, page.refresh_id, page.auth_expires_in, page.application_token, page.lang
        )
        return await self._install(claim, info, pair)

    async def install_from_event(self, event: Event, source: str) -> Opened:
        """What ONAPPINSTALL and ONAPPUPDATE bring: verified by the event's own tokens, whoever sent it."""
        if event.install is None or not event.application_token:
            raise Forbidden(
                "The event brings no tokens, so it proves nothing.", code="invalid_application_token"
            )
        claim = Claim(event.member_id, event.install.access_token, event.server_endpoint, source)
        info = await self._prove(claim)
        tokens = event.install
        language = (event.data or {}).get("LANGUAGE_ID", "")
        pair = OfferedPair(
            tokens.access_token, tokens.refresh_token, tokens.expires_in, event.application_token, language
        )
        return await self._install(claim, info, pair)

    async def _prove(self, claim: Claim) -> AppInfo:
        """Ask now, whatever was answered a while ago; each attempt is paid for first.

        What all share is given back for a token that is confirmed: an update reaches every portal at once,
        from few addresses of Bitrix24's. What the portal has for itself is not.
        """
        shared = (
            Purse(self._by_source, find_subscriber(claim.source)),
            Purse(self._overall, OVERALL),
        )
        for purse in (*shared, Purse(self._by_member, claim.member_id)):
            purse.spend()
        info = await self._verifier.prove(claim, is_fresh=True)
        for purse in shared:
            purse.give_back()
        return info

    async def _install(self, claim: Claim, info: AppInfo, pair: OfferedPair) -> Opened:
        endpoint = self._check_endpoint(info)
        identified = await self._verifier.identify(endpoint, claim)
        profile = identified.profile
        if not profile.is_admin:
            log.warning("refused", code="not_admin", member_id=claim.member_id, source=claim.source)
            raise Forbidden(
                N_("Only an administrator of this Bitrix24 can install Callbook."), code="not_admin"
            )
        if not pair.refresh_token:
            raise Forbidden(
                N_("The request brings no refresh token. Open the page from Bitrix24."),
                code="no_refresh_token",
            )
        portal = await self._store(
            lifecycle.build_installation(info, profile, identified.client_endpoint, pair, self._clock.now())
        )
        log.info("installed", portal_id=portal.id, member_id=portal.member_id, generation=portal.generation)
        self._background.spawn("follow up", self._follow_up(portal, claim.access_token))
        return Opened(portal, profile)

    def _check_endpoint(self, info: AppInfo) -> str:
        try:
            return self._policy.check_portal(info.client_endpoint)
        except AddressRefused as error:
            log.warning("refused", code=error.code, member_id=info.member_id)
            raise Forbidden(error.message, code=error.code) from error

    async def _store(self, installation: Installation) -> Portal:
        async with self._database.transaction():
            row = await queries.make_row(installation.member_id)
            if row["erase_at"] is not None and row["erase_at"] <= self._clock.now():
                await queries.bury(row["id"])  # What is to be erased is not found again by being quick.
                row = await queries.make_row(installation.member_id)
            changes = lifecycle.decide_installation(row, installation, self._clock.now())
            if changes:
                changes["setup"] = begin_steps(self._clock.now())
                await queries.update_locked(row["id"], self._vault.seal_changes(row["id"], changes))
            stored = await queries.get_portal(row["id"])
        if stored is None:
            raise RuntimeError("the portal's row vanished while it was being installed")
        return stored


def _is_same_host(posted: str, confirmed: str) -> bool:
    try:
        return _bare_host(posted) == _bare_host(confirmed)
    except ValueError:  # Brackets without an address: no portal lives there.
        return False


def _bare_host(domain: str) -> str:
    parts = urlsplit(domain if "//" in domain else f"//{domain}")
    return parts.netloc.lower().removesuffix(":443").removesuffix(":80")
