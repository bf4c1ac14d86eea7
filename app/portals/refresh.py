"""Buying a new pair: once for all who wait, in one process or many, and never under another installation.

The order is: claim a lease in the row (one statement), ask the authorization server with no transaction
open, store the answer in one statement that holds only while the token version is still the one that was
used.
Documentation: settings/oauth/auto-renewal.md.
"""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import structlog

from app.bitrix24.errors import (
    APP_GONE,
    DEAD_GRANT,
    WRONG_CLIENT,
    AddressRefused,
    BitrixError,
    Unreachable,
)
from app.bitrix24.oauth import AuthorizationServer, TokenPair
from app.kit.background import Background
from app.kit.clock import Clock
from app.kit.database import DATABASE_ERRORS, is_refusal
from app.portals import contact_queries, queries, silence_queries, uninstall_queries
from app.portals.addresses import Addresses
from app.portals.client_secret import (
    is_asking_pointless,
    note_accepted,
    note_rejected,
    was_accepted_lately,
)
from app.portals.contact import find_state
from app.portals.gone import ASK_AGAIN_AFTER_S
from app.portals.lifecycle import plan_renewal
from app.portals.model import Portal
from app.portals.refresh_budget import REST_S, Cause, may_buy
from app.portals.vault import StoredPair, Vault

log = structlog.get_logger(__name__)
LEASE_S = 30  # Longer than the authorization server's total time-out of 15 s.
POLL_S = 0.1
STORE_AGAIN_S = 0.1  # Doubled after each attempt, up to the longest.
LONGEST_STORE_AGAIN_S = 2.0
MAX_WITNESSES = 3
Sleep = Callable[[float], Awaitable[None]]


class Verdict(Enum):
    """What the authorization server said of a portal's stored pair."""

    RENEWED = "renewed"  # there is a fresh pair
    DEAD = "dead"  # invalid_grant: this pair buys nothing any more
    GONE = "gone"  # the application is not installed there
    SECRET_REJECTED = "secret_rejected"  # perhaps our own client secret's fault: says nothing of the portal
    PAUSED = "paused"  # a customer who has to pay, or the like: the pair may buy another day
    AWAY = "away"  # nothing was learnt
    TOO_SOON = "too_soon"  # nothing was asked: enough pairs have been bought for now
    SUPERSEDED = "superseded"  # another installation, or no installation, since


SECRET_ACCEPTED = frozenset({Verdict.RENEWED, Verdict.SUPERSEDED, Verdict.DEAD})


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to ask with a portal's pair, until then."""

    id: str
    until: int


class Refresher:
    """Renews pairs; twenty waiting calls in two processes make one request."""

    def __init__(
        self,
        authorization_server: AuthorizationServer,
        addresses: Addresses,
        vault: Vault,
        clock: Clock,
        background: Background,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._server = authorization_server
        self._addresses = addresses
        self._vault = vault
        self._clock = clock
        self._background = background
        self._sleep = sleep
        self._running: dict[tuple[int, int], asyncio.Task[Verdict]] = {}

    async def renew(self, portal_id: int, spent: StoredPair, cause: Cause) -> Verdict:
        """Replace the pair of this version, or learn that somebody did, or why it cannot or may not be.

        Marks the portal for reconnection when its pair is dead. Runs to its end even if the caller is
        cancelled.
        """
        key = (portal_id, spent.version)
        task = self._running.get(key)
        if task is None:
            task = self._background.spawn("refresh", self._renew(portal_id, spent, cause))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(task)

    async def ask_anyway(self, portal: Portal, pair: StoredPair) -> Verdict:
        """Ask with a pair that is marked dead, to learn whether the application is still installed."""
        now = self._clock.now()
        if await is_asking_pointless(now):
            return Verdict.SECRET_REJECTED
        if not may_buy(portal, Cause.OWN_WORK, now):
            return Verdict.TOO_SOON
        return await self._judge(portal.id, pair, await self._ask(portal, pair, now + LEASE_S))

    async def _renew(self, portal_id: int, spent: StoredPair, cause: Cause) -> Verdict:
        if await is_asking_pointless(self._clock.now()):
            return Verdict.SECRET_REJECTED
        while not await self._is_too_soon(portal_id, spent, cause):
            lease = await self._claim(portal_id, spent)
            if lease is not None:
                return await self._judge(portal_id, spent, await self._use(lease, portal_id, spent))
            overtaken = await self._look_who_was_faster(portal_id, spent)
            if overtaken is not None:
                return overtaken
            await self._sleep(POLL_S)  # Another process is asking: its answer serves us too.
        return Verdict.TOO_SOON

    async def _is_too_soon(self, portal_id: int, spent: StoredPair, cause: Cause) -> bool:
        """Whether the pair may not be renewed yet. One who was killed while asking has left the lease: a pair
        may have been bought then.
        """
        now = self._clock.now()
        portal = await queries.get_portal(portal_id)  # The caller may know an older one.
        if portal is None or portal.token_version != spent.version or portal.refresh_lease_until > now:
            return False
        bought_at = max(portal.pair_bought_at, portal.refresh_lease_until - LEASE_S)
        return not may_buy(replace(portal, pair_bought_at=bought_at), cause, now)

    async def _use(self, lease: Lease, portal_id: int, spent: StoredPair) -> Verdict:
        verdict = Verdict.AWAY
        try:
            portal = await queries.get_portal(portal_id)
            if portal is not None:
                verdict = await self._ask(portal, spent, lease.until)
        finally:
            await queries.release_refresh(portal_id, lease.id, is_doubtful=verdict is Verdict.AWAY)
        return verdict

    async def _ask(self, portal: Portal, spent: StoredPair, until: int) -> Verdict:
        """Buy a new pair and store it first of all: from the answer on, the old one is spent."""
        request = self._server.refreshing(portal.oauth_server, spent.refresh_token, portal.member_id)
        try:
            async with request as pair:
                if pair.member_id and pair.member_id != portal.member_id:
                    log.error("refresh answered for another portal", portal_id=portal.id)
                    return Verdict.AWAY
                is_stored = await self._store(portal, spent, pair, until)
        except BitrixError as error:
            return await self._read_refusal(portal, spent, error)
        except (Unreachable, AddressRefused) as failure:
            log.warning("refresh failed", portal_id=portal.id, code=failure.code)
            if isinstance(failure, Unreachable) and failure.status is None:  # It may have been bought.
                bought = {"pair_bought_at": self._clock.now()}
                await queries.update_generation(portal.id, portal.generation, bought)
            return Verdict.AWAY
        await note_accepted(self._clock.now())
        if is_stored:
            await self._addresses.adopt(portal, pair.client_endpoint)
            return Verdict.RENEWED
        return await self._look_who_was_faster(portal.id, spent) or Verdict.SUPERSEDED

    async def _read_refusal(self, portal: Portal, spent: StoredPair, error: BitrixError) -> Verdict:
        log.warning("refresh refused", portal_id=portal.id, code=error.code)
        if error.code in WRONG_CLIENT:
            return Verdict.SECRET_REJECTED
        if error.code in APP_GONE:
            return await self._mark(portal.id, spent, Verdict.GONE)
        if error.code in DEAD_GRANT:
            return await self._mark(portal.id, spent, Verdict.DEAD)
        state = find_state(error)
        if state is None:
            return Verdict.AWAY
        await contact_queries.note_refusal(portal, spent.version, state, self._clock.now())
        return Verdict.PAUSED

    async def _mark(self, portal_id: int, spent: StoredPair, verdict: Verdict) -> Verdict:
        """Mark the portal for reconnection and so stop contact, unless it has another pair by now. That it
        is gone is asked again, for no event told of it.
        """
        now = self._clock.now()
        is_marked = await silence_queries.mark_dead(portal_id, spent.generation, spent.version, now)
        if is_marked and verdict is Verdict.GONE:
            first_at = now + ASK_AGAIN_AFTER_S[0]
            await uninstall_queries.note_unannounced(portal_id, spent.generation, now, first_at)
        if is_marked:
            return verdict
        return await self._look_who_was_faster(portal_id, spent) or Verdict.SUPERSEDED

    async def _judge(self, portal_id: int, spent: StoredPair, verdict: Verdict) -> Verdict:
        """Whether `invalid_client` was about this portal alone: another portal's refresh shows it.

        The portal's own lease is given back before: it may be wanted as a witness itself.
        """
        if verdict is Verdict.SECRET_REJECTED and await self._is_secret_accepted(portal_id):
            return await self._mark(portal_id, spent, Verdict.GONE)
        return verdict

    async def _is_secret_accepted(self, portal_id: int) -> bool:
        """Whether it was accepted minutes ago, or a witness shows it. Only when all who were asked said
        `invalid_client` too, or there is nobody to ask, is it certainly our secret that is wrong.
        """
        now = self._clock.now()
        if await was_accepted_lately(now):
            return True
        witnesses = await queries.list_witnesses(portal_id, now - REST_S, MAX_WITNESSES)
        heard = []
        for witness in witnesses:
            verdict = await self._ask_witness(witness)
            if verdict in SECRET_ACCEPTED:
                await note_accepted(self._clock.now())
                return True
            heard += [] if verdict is None else [verdict]
        if (heard or not witnesses) and all(verdict is Verdict.SECRET_REJECTED for verdict in heard):
            await note_rejected(self._clock.now())
        return False

    async def _ask_witness(self, witness: Portal) -> Verdict | None:
        """None while somebody else asks for that portal: its lease is not waited for. Two portals that judge
        each other would wait for ever.
        """
        pair = await self._vault.read_pair(witness.id)
        lease = await self._claim(witness.id, pair) if pair else None
        if pair is None or lease is None:
            return None
        return await self._use(lease, witness.id, pair)

    async def _store(self, portal: Portal, spent: StoredPair, pair: TokenPair, until: int) -> bool:
        """False when the portal has another pair or installation by now. A database that is away is tried
        again while the lease lasts, because nothing else can bring the new pair back.
        """
        sealed = self._vault.seal_changes(portal.id, self._plan(portal, spent, pair))
        for attempt in itertools.count():
            try:
                return await queries.update_unchanged(portal.id, spent.generation, spent.version, sealed)
            except DATABASE_ERRORS as error:
                wait_s = min(STORE_AGAIN_S * 2**attempt, LONGEST_STORE_AGAIN_S)
                if is_refusal(error) or self._clock.now() + wait_s >= until:
                    raise
                log.warning("new pair not stored yet", portal_id=portal.id, error=type(error).__name__)
                await self._sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _plan(self, portal: Portal, spent: StoredPair, pair: TokenPair) -> dict[str, Any]:
        now = self._clock.now()
        return {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_version": spent.version + 1,
            "access_expires_at": now + pair.expires_in,
            "pair_stored_at": now,
            "pair_bought_at": now,
            "pair_dated_at": pair.expires_at,
            "renew_at": plan_renewal(portal.member_id, now),
            "token_state": "ok",
            "refresh_lease_id": None,
            "refresh_lease_until": 0,
            "license_status": pair.status or portal.license_status,
        }

    async def _look_who_was_faster(self, portal_id: int, spent: StoredPair) -> Verdict | None:
        """RENEWED when the portal has a newer pair, SUPERSEDED when nobody may use this one, else None."""
        portal = await queries.get_portal(portal_id)
        if portal is None or portal.generation != spent.generation or not portal.is_reachable:
            return Verdict.SUPERSEDED
        return Verdict.RENEWED if portal.token_version != spent.version else None

    async def _claim(self, portal_id: int, spent: StoredPair) -> Lease | None:
        now = self._clock.now()
        lease = Lease(uuid.uuid4().hex, now + LEASE_S)
        is_claimed = await queries.claim_refresh(
            portal_id, spent.generation, spent.version, lease.id, now, lease.until
        )
        return lease if is_claimed else None
