"""Installations that cannot be verified when their event comes: kept sealed, and verified when there is room.

Bitrix24 sends no event again, so one that finds too many others before it, or an authorization server that is
away, is not turned away (decision 0022).
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
from app.portals.entrance.attempts import Shares
from app.portals.entrance.offer_purse import OfferPurse, seal_offer
from app.portals.entrance.offers import IsWanted, Offer, read_offer
from app.portals.entrance.standing import Standing
from app.portals.pending_queries import MOST_IN_ALL, MOST_OF_ORIGIN
from app.portals.tokens.purchases import Purse

log = structlog.get_logger(__name__)
CLAIM_S = 300  # Longer than one verification can take: two authorization servers, the portal, a new pair.
ASK_AGAIN_AFTER_S = (60, 300, 900)
Row = Mapping[str, Any]


class NoRoom(Unavailable):
    """So many installations wait that this one cannot."""

    code = "too_many_pending"
    retry_after_s = 60


class Forgotten(Unavailable):
    """The vendor forgot the portal, so it waits for the installer page."""

    code = "forgotten"


class Installing(Protocol):
    """Verifies and stores what is offered; each raises a Refusal."""

    async def is_forgotten(self, member_id: str) -> bool:
        """Whether only the installer page brings the portal back."""
        ...

    async def judge(self, offer: Offer) -> Claim:
        """What the offer claims, and how far it is believed."""
        ...

    async def install_offer(self, offer: Offer, claim: Claim, is_wanted: IsWanted | None = None) -> object:
        """Verify it and store it, unless it is not wanted by then."""
        ...

    async def renew_offer(self, offer: Offer, purse: Purse) -> None:
        """Buy a new pair in the place of the one that it brought."""
        ...


class PendingInstallations:
    """Takes the events of installations, and verifies by and by those that had to wait."""

    def __init__(self, installer: Installing, keyring: Keyring, database: Database, clock: Clock) -> None:
        self._installer = installer
        self._keyring = keyring
        self._database = database
        self._clock = clock
        # Whoever finds no room is told so without a statement, as often as they ask.
        self._keeping = Shares(clock, MOST_IN_ALL, MOST_OF_ORIGIN)

    async def take(self, event: Event, source: str) -> bool:
        """Install as ONAPPINSTALL and ONAPPUPDATE say, whoever sent them: False when that is kept for later.

        Raises Forbidden for what stays refused, NoRoom when it cannot be kept either.
        """
        offer = read_offer(event, source, self._clock.now())
        claim = await self._installer.judge(offer)
        try:
            if await self._installer.is_forgotten(offer.member_id):
                raise Forgotten
            await self._installer.install_offer(offer, claim)
        except Forbidden:
            raise
        except Refusal as refusal:  # It may pass: a portal that is closed, an address that another one has.
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
        """Those to be verified now, one of each network after the other; what is a day old is forgotten."""
        await pending_queries.purge_pending(self._clock.now())
        return await pending_queries.list_due(self._clock.now(), limit)

    async def ask(self, row: Row) -> None:
        """Verify one, if it is due and nobody else does: it is installed, refused, or waits on."""
        member_id, origin, now = row["member_id"], row["origin"], self._clock.now()
        claimed = await pending_queries.claim(member_id, origin, now, now + CLAIM_S)
        if claimed is None:
            return
        purse, attempts = OfferPurse(self._keyring, self._clock, member_id, origin, claimed[0]), claimed[1]
        waits = partial(pending_queries.postpone, member_id, origin)
        pause_s = ASK_AGAIN_AFTER_S[min(attempts, len(ASK_AGAIN_AFTER_S) - 1)]
        try:
            if await self._installer.is_forgotten(member_id):
                raise Forgotten
            await self._renew_if_expired(purse)
            await self._install(purse)
        except TooManyRequests as refusal:
            await waits(purse.sealed, attempts, self._clock.now() + refusal.retry_after_s)
        except Forbidden:  # Which stays so; logged where it was found.
            await pending_queries.settle(member_id, origin, purse.sealed)
        except Refusal:  # Which may pass, as above: it was answered that it waits.
            await waits(purse.sealed, attempts + 1, self._clock.now() + pause_s)

    async def _install(self, purse: OfferPurse) -> None:
        """What was forgotten meanwhile stays so: it is settled in the transaction that installs."""
        offer = purse.open()
        claim = await self._installer.judge(offer)
        is_wanted = partial(pending_queries.settle, purse.member_id, purse.origin, purse.sealed)
        await self._installer.install_offer(offer, claim, is_wanted)

    async def _renew_if_expired(self, purse: OfferPurse) -> None:
        offer = purse.open()
        if offer.expires_at <= self._clock.now():
            await self._installer.renew_offer(offer, purse)


def _find_origin(claim: Claim) -> str:
    """Whose room it takes: its network's, or its own where only the portal can have sent it."""
    return claim.member_id if claim.standing is Standing.PROVEN else find_network(claim.source)
