"""The one place where pairs of tokens are bought, for portals and for installations that wait to be verified.

Bitrix24 may block an application that refreshes too often, so nobody else asks an authorization server for a
pair (`tests/architecture/test_purchases.py`). The record is read once its caller has the pair to itself, and
the purchase is noted before it is asked for: an answer that breaks off, names another portal or is never read
because the process was killed may have bought a pair all the same. A refusal that says so bought none, and so
did a connection that never came about.
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
    """Nothing was asked: enough has been bought for now, or our own secret was refused a moment ago."""


class Purse(Protocol):
    """A pair that its holder has to itself, and our record of when one was last bought for it."""

    @property
    def member_id(self) -> str: ...  # noqa: D102  Whose it is.
    @property
    def server(self) -> str | None: ...  # noqa: D102  The authorization server; None is the first listed.
    @property
    def refresh_token(self) -> str: ...  # noqa: D102

    async def read_record(self) -> Pair | None:
        """The record as it is now; None when the pair is another by now, or nobody may use it."""
        ...

    async def note(self, was_at: int, bought_at: int) -> bool:
        """Write when a pair was bought in the place of what was noted; False when that is another by now."""
        ...

    async def keep(self, pair: TokenPair) -> None:
        """Store the new pair before all else: the old one is spent."""
        ...


async def buy(server: AuthorizationServer, purse: Purse, cause: Cause, clock: Clock) -> TokenPair:
    """The new pair, which is kept by then.

    Raises NotNow when nothing was asked, BitrixError by the server's code, AddressRefused, NotSent without a
    connection, and Unreachable when nothing was learnt, which counts as a purchase.
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
