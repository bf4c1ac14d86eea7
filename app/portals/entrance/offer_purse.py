"""The pair of a waiting installation, for `app.portals.tokens.purchases`, which spends this pair and keeps
the next one.

The time of the last purchase is sealed with the pair, so that it needs no column. The verifying process has
the installation to itself by a lease.
"""

from dataclasses import dataclass, field

import msgspec

from app.bitrix24.rest.oauth import TokenPair
from app.kit.clock import Clock
from app.kit.crypto import Keyring
from app.portals import pending_queries
from app.portals.entrance.offers import Offer
from app.portals.pending_queries import seal_context


@dataclass(slots=True)
class OfferRecord:
    """The times of the pair, as `app.portals.tokens.refresh_budget` reads them; 0 is never, or unknown."""

    access_expires_at: int
    pair_stored_at: int
    pair_bought_at: int


@dataclass(slots=True, kw_only=True)
class OfferPurse:
    """The installation of this portal and origin; `sealed` is its offer as stored."""

    keyring: Keyring
    clock: Clock
    member_id: str
    origin: str
    sealed: str = field(repr=False)

    @property
    def server(self) -> str | None:
        """The authorization server that the event named."""
        return self.open().server_endpoint

    @property
    def refresh_token(self) -> str:
        """The secret that buys the next pair."""
        return self.open().refresh_token

    def open(self) -> Offer:
        """The offer; raises CannotDecryptError if it was sealed for another row."""
        context = seal_context(self.member_id, self.origin)
        return msgspec.json.decode(self.keyring.open(self.sealed, context), type=Offer)

    async def read_record(self) -> OfferRecord | None:
        """The record as it was when the lease was taken; `note` finds out whether a newer offer has come."""
        offer = self.open()
        return OfferRecord(offer.expires_at, 0, offer.pair_bought_at)

    async def note(self, was_at: int, bought_at: int) -> bool:
        """Write `bought_at` as the time of the last purchase; False if a newer offer has come."""
        offer = self.open()
        if offer.pair_bought_at != was_at:
            return False
        return await self._replace(msgspec.structs.replace(offer, pair_bought_at=bought_at))

    async def keep(self, pair: TokenPair) -> None:
        """Store the new pair, unless a newer offer has come."""
        renewed = msgspec.structs.replace(
            self.open(),
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_at=self.clock.now() + pair.expires_in,
        )
        await self._replace(renewed)

    async def _replace(self, offer: Offer) -> bool:
        sealed = seal_offer(self.keyring, offer, self.origin)
        is_replaced = await pending_queries.replace_sealed(self.member_id, self.origin, self.sealed, sealed)
        self.sealed = sealed
        return is_replaced


def seal_offer(keyring: Keyring, offer: Offer, origin: str) -> str:
    """The offer, sealed for its row."""
    return keyring.seal(msgspec.json.encode(offer), seal_context(offer.member_id, origin))
