"""Installations: by the installer page and by event, in any order, twice at once, over an older installation.

A request is verified first: its token, its portal, and that the user is an administrator there. Then one
transaction decides and stores. Bindings follow in the background, with this administrator's token.
Documentation: settings/app-installation, api-reference/common/events/on-app-install.md.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import structlog

from app.bitrix24.errors import AddressRefused
from app.bitrix24.incoming.payloads import Event, Page
from app.bitrix24.methods.profile import Profile
from app.bitrix24.rest.oauth import AppInfo
from app.kit.clock import Clock
from app.kit.fairness.budget import Budget, Limits
from app.kit.fairness.shared_reads import SharedReads
from app.kit.fairness.turns import Kind, PortalTurns
from app.kit.messages.errors import Forbidden, Refusal, TooManyRequests
from app.kit.messages.words import N_
from app.kit.storage.database import Database
from app.portals import lifecycle, pending_queries, queries
from app.portals.absence.tombstones import Tombstones
from app.portals.entrance.admission import Claim
from app.portals.entrance.offers import IsWanted, Offer
from app.portals.entrance.pending_installations import PendingInstallations
from app.portals.entrance.setup import begin_steps
from app.portals.entrance.standing import Standing, judge_standing
from app.portals.entrance.verification import Verifier
from app.portals.lifecycle import Installation, OfferedPair
from app.portals.model import Portal
from app.portals.states.addresses import Addresses
from app.portals.tokens.purchases import Purse
from app.portals.vault import Vault

log = structlog.get_logger(__name__)
FOLLOW_UP = Kind(name="follow up")
FollowUp = Callable[[Portal, str], Coroutine[Any, Any, None]]  # With the administrator's access token.


class AddressTaken(Refusal):
    """The authorization server names this address for another portal too."""

    status = 409
    code = "address_taken"
    message = N_(
        "Another Bitrix24 that uses Callbook has this address. Try again in an hour. If that does "
        "not help, write to the vendor of Callbook."
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A portal, and the person that the request's token acts for."""

    portal: Portal
    profile: Profile


class Installer:
    """Stores verified installations and starts the steps that follow."""

    def __init__(
        self,
        verifier: Verifier,
        vault: Vault,
        addresses: Addresses,
        database: Database,
        clock: Clock,
        turns: PortalTurns,
        limits: Limits,
        follow_up: FollowUp,
    ) -> None:
        self._tombstones = Tombstones(vault, clock)
        self._verifier = verifier
        self._vault = vault
        self._addresses = addresses
        self._database = database
        self._clock = clock
        self._turns = turns
        self._follow_up = follow_up
        self.pending = PendingInstallations(self, vault.keyring, database, clock)
        # Shared, because strangers cause these reads before they have proven anything.
        self._portals = SharedReads(queries.find_portals)
        self._by_member = Budget(clock, limits.installations_per_member)

    async def install_from_page(self, page: Page, client_address: str) -> Opened:
        """Install by the installer page; raises a Refusal, and then nothing has changed."""
        standing = await self._judge(page.member_id, page.application_token)
        claim = Claim(
            member_id=page.member_id,
            access_token=page.auth_id,
            server_endpoint=page.server_endpoint,
            client_address=client_address,
            standing=standing,
        )
        return await self.install_proven(page, claim, await self._prove(claim))

    async def install_proven(
        self, page: Page, claim: Claim, info: AppInfo, is_wanted: IsWanted | None = None
    ) -> Opened:
        """Install by a page whose token was proven; the transaction that stores it asks `is_wanted`."""
        if page.domain and not _is_same_host(page.domain, info.domain):
            raise Forbidden(
                N_(
                    "The address in this request is not the address of your Bitrix24. Open Callbook "
                    "from your Bitrix24 again."
                ),
                code="wrong_domain",
            )
        pair = OfferedPair(
            access_token=page.auth_id,
            refresh_token=page.refresh_id,
            expires_in_s=page.auth_expires_in,
            application_token=page.application_token,
            language=page.lang,
        )
        return await self._install(claim, info, pair, is_wanted)

    async def install_from_event(self, event: Event, client_address: str) -> bool:
        """Install by ONAPPINSTALL or ONAPPUPDATE; False if the event waits to be verified. Raises a Refusal.

        An update is no installation: it brings no portal back that was forgotten or has just uninstalled. The
        installation of a forgotten portal waits for the installer page, which Bitrix24 opens at every
        installation.
        """
        if event.name == "ONAPPUPDATE" and await self._tombstones.is_barred(event.member_id):
            raise Forbidden("The portal is not installed.", code="not_installed")
        return await self.pending.take(event, client_address)

    async def judge(self, offer: Offer) -> Claim:
        """The claim of an offer, with its standing before its token is proven."""
        standing = await self._judge(offer.member_id, offer.application_token)
        return Claim(
            member_id=offer.member_id,
            access_token=offer.access_token,
            server_endpoint=offer.server_endpoint,
            client_address=offer.client_address,
            standing=standing,
        )

    async def install_offer(self, offer: Offer, claim: Claim, is_wanted: IsWanted | None = None) -> Opened:
        """Install by the offer of an event. The event's own tokens verify the offer, so the sender of the
        event does not matter.

        The transaction that stores it asks `is_wanted`. The pair of an offer that has waited keeps the date
        and the expiry of its receipt, so it replaces no newer pair.
        """

        async def is_wanted_still() -> bool:
            is_forgotten = await self._tombstones.is_forgotten_now(offer.member_id)
            return not is_forgotten and (is_wanted is None or await is_wanted())

        info = await self._prove(claim)
        lifetime_s = max(0, offer.expires_at - self._clock.now())
        pair = OfferedPair(
            access_token=offer.access_token,
            refresh_token=offer.refresh_token,
            expires_in_s=lifetime_s,
            application_token=offer.application_token,
            language=offer.language,
        )
        return await self._install(claim, info, pair, is_wanted_still)

    async def is_forgotten(self, member_id: str) -> bool:
        """Whether the vendor forgot the portal, so that only the installer page brings it back."""
        return await self._tombstones.is_forgotten(member_id)

    async def renew_offer(self, offer: Offer, purse: Purse) -> None:
        """Buy a new pair for an offer whose own pair has expired; raises a Refusal."""
        await self._verifier.renew(await self.judge(offer), purse)

    async def _judge(self, member_id: str, application_token: str | None) -> Standing:
        return judge_standing(await self._portals.find(member_id), application_token, self._vault)

    async def _prove(self, claim: Claim) -> AppInfo:
        """The server's answer to a question that is asked now; no kept answer is used.

        The installations of a portal are limited too. Only those with proven tokens count, so strangers
        cannot use them up.
        """
        if not self._by_member.has(claim.member_id):
            raise TooManyRequests
        info = await self._verifier.prove(claim, is_fresh=True)
        self._by_member.spend(claim.member_id)
        return info

    async def _install(
        self, claim: Claim, info: AppInfo, pair: OfferedPair, is_wanted: IsWanted | None = None
    ) -> Opened:
        endpoint = self._check_endpoint(info)
        if not await self._addresses.is_free(endpoint, info.member_id):
            raise AddressTaken
        profile = await self._verifier.identify(endpoint, claim)
        if not profile.is_admin:
            log.warning("refused", code="not_admin", member_id=claim.member_id, source=claim.client_address)
            raise Forbidden(
                N_("Only an administrator of this Bitrix24 can install Callbook."), code="not_admin"
            )
        if not pair.refresh_token:
            raise Forbidden(
                N_("The request has no refresh token. Open the page from Bitrix24."),
                code="no_refresh_token",
            )
        portal = await self._store(
            lifecycle.build_installation(info, profile, endpoint, pair, self._clock.now()),
            is_wanted,
        )
        log.info("installed", portal_id=portal.id, member_id=portal.member_id, generation=portal.generation)
        follow_up = partial(self._follow_up, portal, claim.access_token)
        self._turns.begin(FOLLOW_UP, portal.id, follow_up, is_news=True)
        return Opened(portal, profile)

    def _check_endpoint(self, info: AppInfo) -> str:
        try:
            return self._addresses.check(info.client_endpoint)
        except AddressRefused as error:
            log.warning("refused", code=error.code, member_id=info.member_id)
            raise Forbidden(error.message, code=error.code) from error

    async def _store(self, installation: Installation, is_wanted: IsWanted | None) -> Portal:
        async with self._database.transaction():
            row = await queries.make_row(installation.member_id)
            if is_wanted is not None and not await is_wanted():
                raise Forbidden("The portal was forgotten meanwhile.", code="forgotten")
            if await self._tombstones.lift(installation.member_id):
                await pending_queries.hurry(installation.member_id, self._clock.now())
            if row["erase_at"] is not None and row["erase_at"] <= self._clock.now():
                await queries.bury(row["id"])  # A quick reinstallation gets no data that is due for erasure.
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
