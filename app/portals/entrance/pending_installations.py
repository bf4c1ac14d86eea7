"""Installations that cannot be verified when their event comes: kept sealed, and verified when there is room.

Bitrix24 sends no event again. So Callbook keeps an event that comes after too many others, or while the
authorization server is away (decision 0022).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import structlog

from app.bitrix24.incoming.payloads import Event
from app.kit.clock import Clock
from app.kit.crypto import Keyring
from app.kit.fairness.subscribers import find_network
from app.kit.messages.errors import Forbidden, Refusal, TooManyRequests, Unavailable
from app.kit.storage.database import Database
from app.portals import pending_queries
from app.portals.entrance.admission import Claim
from app.portals.entrance.attempts import FairBudget
from app.portals.entrance.offer_purse import OfferPurse, seal_offer
from app.portals.entrance.offers import IsWanted, Offer, read_offer
from app.portals.entrance.standing import Standing
from app.portals.pending_queries import MOST_IN_ALL, MOST_OF_ORIGIN
from app.portals.tokens.purchases import Purse

log = structlog.get_logger(__name__)
LEASE_S = 300  # Longer than one verification can take: two authorization servers, the portal, a new pair.
ASK_AGAIN_AFTER_S = (60, 300, 900)
Row = Mapping[str, Any]


class NoRoom(Unavailable):
    """Too many installations wait already, so this one is turned away."""

    code = "too_many_pending"
    retry_after_s = 60


class Forgotten(Refusal):
    """The vendor forgot the portal, so it waits for the installer page."""

    code = "forgotten"


class Installing(Protocol):
    """Verifies and stores offers; each method raises a Refusal."""

    async def is_forgotten(self, member_id: str) -> bool:
        """Whether the vendor forgot the portal, so that only the installer page brings it back."""
        ...

    async def judge(self, offer: Offer) -> Claim:
        """The claim of the offer, with its standing."""
        ...

    async def install_offer(self, offer: Offer, claim: Claim, is_wanted: IsWanted | None = None) -> object:
        """Verify the offer and store it, if it is still wanted by then."""
        ...

    async def renew_offer(self, offer: Offer, purse: Purse) -> None:
        """Buy a new pair in place of the one that the offer brought."""
        ...


class PendingInstallations:
    """Takes the events of installations, and verifies those that have to wait one after the other."""

    def __init__(self, installer: Installing, keyring: Keyring, database: Database, clock: Clock) -> None:
        self._installer = installer
        self._keyring = keyring
        self._database = database
        self._clock = clock
        # An event that finds no room is refused without a statement, however often it comes.
        self._keeping = FairBudget(clock, MOST_IN_ALL, MOST_OF_ORIGIN)

    async def take(self, event: Event, client_address: str) -> bool:
        """Install by ONAPPINSTALL or ONAPPUPDATE, from any sender; False if the event is kept for later.

        Raises Forbidden if it is refused for good, and NoRoom if it cannot be kept either.
        """
        offer = read_offer(event, client_address, self._clock.now())
        claim = await self._installer.judge(offer)
        try:
            if await self._installer.is_forgotten(offer.member_id):
                raise Forgotten
            await self._installer.install_offer(offer, claim)
        except Forbidden:
            raise
        # The reason may pass: the portal is closed, or another portal has the address.
        except Refusal as refusal:
            await self._keep(offer, _find_origin(claim))
            log.info("installation pending", member_id=offer.member_id, code=refusal.code)
            return False
        return True

    async def _keep(self, offer: Offer, origin: str) -> None:
        try:
            self._keeping.take(origin, offer.member_id)
        except TooManyRequests as refusal:
            raise NoRoom from refusal
        sealed = seal_offer(self._keyring, offer, origin)
        async with self._database.transaction():
            is_kept = await pending_queries.keep(
                offer.member_id, origin, sealed, self._clock.now(), is_sqlite=self._database.is_sqlite
            )
        if not is_kept:
            raise NoRoom

    async def list_due(self, limit: int) -> Sequence[Row]:
        """The installations to verify now, one of each network in turn; deletes those that are a day old."""
        await pending_queries.purge_pending(self._clock.now())
        return await pending_queries.list_due(self._clock.now(), limit)

    async def ask(self, row: Row) -> None:
        """Verify an installation if it is due and no other process has it: install it, refuse it, or let it
        wait on.
        """
        member_id, origin, now = row["member_id"], row["origin"], self._clock.now()
        taken = await pending_queries.take(member_id, origin, now, now + LEASE_S)
        if taken is None:
            return
        sealed, attempts = taken
        purse = OfferPurse(
            keyring=self._keyring, clock=self._clock, member_id=member_id, origin=origin, sealed=sealed
        )
        waits = partial(pending_queries.postpone, member_id, origin)
        pause_s = ASK_AGAIN_AFTER_S[min(attempts, len(ASK_AGAIN_AFTER_S) - 1)]
        try:
            if await self._installer.is_forgotten(member_id):
                raise Forgotten
            await self._renew_if_expired(purse)
            await self._install(purse)
        except TooManyRequests as refusal:
            await waits(purse.sealed, attempts, self._clock.now() + refusal.retry_after_s)
        except Forbidden:  # Refused for good; logged where it was refused.
            await pending_queries.settle(member_id, origin, purse.sealed)
        except Refusal:  # The reason may pass, as above, so the installation waits on.
            await waits(purse.sealed, attempts + 1, self._clock.now() + pause_s)

    async def _install(self, purse: OfferPurse) -> None:
        """Install the offer; the transaction that installs it also settles it. If the portal was forgotten in
        the meantime, nothing is left to settle, and it stays forgotten.
        """
        offer = purse.open()
        claim = await self._installer.judge(offer)
        is_wanted = partial(pending_queries.settle, purse.member_id, purse.origin, purse.sealed)
        await self._installer.install_offer(offer, claim, is_wanted)

    async def _renew_if_expired(self, purse: OfferPurse) -> None:
        offer = purse.open()
        if offer.expires_at <= self._clock.now():
            await self._installer.renew_offer(offer, purse)


def _find_origin(claim: Claim) -> str:
    """The origin that the event counts for: the portal if only it can have sent it, else the network."""
    return claim.member_id if claim.standing is Standing.PROVEN else find_network(claim.client_address)
