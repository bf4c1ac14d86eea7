"""The one place where pairs of tokens are bought, for portals and for installations that wait to be verified.

Bitrix24 may block an application that refreshes too often, so no other code asks an authorization server for
a pair (`tests/architecture/test_purchases.py`). `buy` reads the record when its caller has the pair to
itself, and notes the purchase before the request. A pair may have been bought even if the answer breaks off,
names another portal, or is never read because the process was killed. The note is taken back if a refusal
shows that no pair was bought, or if no connection was made.
"""

from typing import Protocol

import structlog

from app.bitrix24.errors import (
    APP_GONE,
    DEAD_GRANT,
    WRONG_CLIENT,
    AddressRefused,
    BitrixFailure,
    NotSent,
    Unreachable,
)
from app.bitrix24.rest.oauth import AuthorizationServer, TokenPair
from app.kit.clock import Clock
from app.portals.contact import STATE_OF_CODE
from app.portals.tokens.client_secret import is_asking_pointless, note_accepted
from app.portals.tokens.refresh_budget import Cause, Pair, may_buy

log = structlog.get_logger(__name__)
BOUGHT_NOTHING = DEAD_GRANT | APP_GONE | WRONG_CLIENT | STATE_OF_CODE.keys() | {AddressRefused.code}


class NotNow(Exception):
    """No request was made: enough has been bought for now, or our own secret was refused a moment ago."""


class Purse(Protocol):
    """A pair that its holder has to itself, and our record of when one was last bought for it."""

    @property
    def member_id(self) -> str: ...  # noqa: D102  The portal of the pair.
    @property
    def server(self) -> str | None: ...  # noqa: D102  The authorization server; None is the first listed.
    @property
    def refresh_token(self) -> str: ...  # noqa: D102

    async def read_record(self) -> Pair | None:
        """The record as it is now; None if the pair is another by now, or must not be used."""
        ...

    async def note(self, was_at: int, bought_at: int) -> bool:
        """Replace the time of the last purchase, `was_at`, by `bought_at`; False if it is another by now."""
        ...

    async def keep(self, pair: TokenPair) -> None:
        """Store the new pair first of all, because the old one is spent."""
        ...


async def buy(server: AuthorizationServer, purse: Purse, cause: Cause, clock: Clock) -> TokenPair:
    """The new pair, which the purse has kept already.

    Raises NotNow if no request was made, BitrixError with the server's code, AddressRefused, NotSent if no
    connection came about, and Unreachable if there was no clear answer, which counts as a purchase.
    """
    now = clock.now()
    record = await purse.read_record()
    if record is None or not may_buy(record, cause, now) or await is_asking_pointless(now):
        raise NotNow
    if not await purse.note(record.pair_bought_at, now):
        raise NotNow
    try:
        pair = await _ask(server, purse)
    except BitrixFailure as failure:
        if isinstance(failure, NotSent) or failure.code in BOUGHT_NOTHING:
            await purse.note(now, record.pair_bought_at)
        raise
    await note_accepted(clock.now())
    return pair


async def _ask(server: AuthorizationServer, purse: Purse) -> TokenPair:
    async with server.refreshing(purse.server, purse.refresh_token, purse.member_id) as pair:
        if pair.member_id and pair.member_id != purse.member_id:
            log.error("refresh answered for another portal", member_id=purse.member_id)
            raise Unreachable("the answer is of another portal")
        await purse.keep(pair)
        return pair
