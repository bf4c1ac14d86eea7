"""Refreshes: one purchase for all waiting calls of all processes, stored only for the same installation.

A refresh takes a lease in the row (one statement), asks the authorization server with no transaction open,
and stores the answer in one statement, which changes nothing if the token version has changed meanwhile.
Documentation: settings/oauth/auto-renewal.md.
"""

import asyncio
import time
import uuid
from dataclasses import dataclass
from enum import Enum
from functools import partial

import structlog

from app.bitrix24.errors import (
    APP_GONE,
    DEAD_GRANT,
    WRONG_CLIENT,
    AddressRefused,
    BitrixError,
    Unreachable,
)
from app.bitrix24.rest.oauth import AuthorizationServer
from app.kit.clock import Clock
from app.kit.fairness.background import Background
from app.kit.fairness.lanes import use_no_lane
from app.kit.fairness.shared_tasks import SharedTasks
from app.portals import queries
from app.portals.absence import silence_queries, uninstall_queries
from app.portals.absence.gone_rules import ASK_AGAIN_AFTER_S
from app.portals.contact import find_state
from app.portals.model import Portal
from app.portals.states import contact_queries
from app.portals.states.addresses import Addresses
from app.portals.tokens.client_secret import is_asking_pointless
from app.portals.tokens.portal_purse import Monotonic, PortalPurse, Sleep
from app.portals.tokens.purchases import NotNow, buy
from app.portals.tokens.refresh_budget import Cause, may_buy
from app.portals.tokens.witnesses import Witnesses, Word
from app.portals.vault import StoredPair, Vault

log = structlog.get_logger(__name__)
LEASE_S = 30  # Longer than the authorization server's total time-out of 15 s.
POLL_S = 0.1


class Verdict(Enum):
    """The result of an attempt to refresh a portal's stored pair."""

    RENEWED = "renewed"  # there is a fresh pair
    DEAD = "dead"  # invalid_grant: this pair buys nothing any more
    GONE = "gone"  # the application is not installed there
    SECRET_REJECTED = "secret_rejected"  # perhaps our own secret's fault: proves nothing about the portal
    PAUSED = "paused"  # the customer has to pay, or the like: the pair may buy later
    AWAY = "away"  # no answer, or one that says nothing about the pair
    TOO_SOON = "too_soon"  # no request was made: enough pairs have been bought for now
    SUPERSEDED = "superseded"  # the portal has another installation, or none, by now


# After these verdicts the stored pair may be spent: this answer, or an earlier one, did not come or broke
# off.
DOUBTFUL = frozenset({Verdict.AWAY, Verdict.TOO_SOON})
SHOWS_SECRET = {  # Whether our secret was accepted; the other verdicts do not show it.
    Verdict.RENEWED: True,
    Verdict.SUPERSEDED: True,
    Verdict.DEAD: True,
    Verdict.SECRET_REJECTED: False,
}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to refresh with a portal's pair; `ends_at` is by a clock that cannot step."""

    id: str
    ends_at: float


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
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._server = authorization_server
        self._addresses = addresses
        self._vault = vault
        self._clock = clock
        self._sleep = sleep
        self._monotonic = monotonic
        self._witnesses = Witnesses(clock)
        self._renewals = SharedTasks[Verdict](background, "refresh")

    async def renew(self, portal_id: int, old: StoredPair, cause: Cause) -> Verdict:
        """Replace the pair `old`; the verdict says whether it is replaced (here or by another caller), or why
        not.

        Marks the portal for reconnection if its pair is dead. Runs to its end even if the caller is
        cancelled.
        """
        key = (portal_id, old.version)
        return await self._renewals.run(key, partial(self._renew, portal_id, old, cause))

    async def ask_anyway(self, portal: Portal, pair: StoredPair) -> Verdict:
        """Ask with a pair that is marked dead, to learn whether the application is still installed."""
        ends_at = self._monotonic() + LEASE_S
        return await self._judge(portal.id, pair, await self._ask(portal, pair, Cause.OWN_WORK, ends_at))

    async def _renew(self, portal_id: int, old: StoredPair, cause: Cause) -> Verdict:
        with use_no_lane():  # Single rows only; all callers wait for the holder of the lease.
            if (refusal := await self._find_refusal(portal_id, old, cause)) is not None:
                return refusal
            while (lease := await self._take_lease(portal_id, old)) is None:
                overtaken = await self._look_who_was_faster(portal_id, old)
                if overtaken is not None:
                    return overtaken
                await self._sleep(POLL_S)  # Another process is asking: its answer serves us too.
            return await self._judge(portal_id, old, await self._use(lease, portal_id, old, cause))

    async def _find_refusal(self, portal_id: int, old: StoredPair, cause: Cause) -> Verdict | None:
        """The reason why nothing may be bought, if this process knows one without the lease; else None. `buy`
        checks again under the lease.

        While another process has the lease, the last purchase in the record may be the one that this caller
        waits for. So a recent purchase is then no reason.
        """
        now = self._clock.now()
        if await is_asking_pointless(now):
            return Verdict.SECRET_REJECTED
        portal = await queries.get_portal(portal_id)  # The caller may know an older one.
        if portal is None or portal.refresh_lease_until > now or portal.token_version != old.version:
            return None
        return None if may_buy(portal, cause, now) else Verdict.TOO_SOON

    async def _use(self, lease: Lease, portal_id: int, old: StoredPair, cause: Cause) -> Verdict:
        verdict = Verdict.AWAY
        try:
            portal = await queries.get_portal(portal_id)
            if portal is not None:
                verdict = await self._ask(portal, old, cause, lease.ends_at)
        finally:
            await queries.release_refresh(portal_id, lease.id, is_doubtful=verdict in DOUBTFUL)
        return verdict

    async def _ask(self, portal: Portal, old: StoredPair, cause: Cause, ends_at: float) -> Verdict:
        purse = PortalPurse(
            portal=portal,
            spent=old,
            vault=self._vault,
            clock=self._clock,
            sleep=self._sleep,
            monotonic=self._monotonic,
            ends_at=ends_at,
        )
        try:
            pair = await buy(self._server, purse, cause, self._clock)
        except NotNow:
            return Verdict.TOO_SOON
        except BitrixError as error:
            return await self._read_refusal(portal, old, error)
        except (Unreachable, AddressRefused) as failure:
            log.warning("refresh failed", portal_id=portal.id, code=failure.code)
            return Verdict.AWAY
        if purse.is_kept:
            await self._addresses.adopt(portal, pair.client_endpoint)
            return Verdict.RENEWED
        return await self._look_who_was_faster(portal.id, old) or Verdict.SUPERSEDED

    async def _read_refusal(self, portal: Portal, old: StoredPair, error: BitrixError) -> Verdict:
        log.warning("refresh refused", portal_id=portal.id, code=error.code)
        if error.code in WRONG_CLIENT:
            return Verdict.SECRET_REJECTED
        if error.code in APP_GONE:
            return await self._note_end(portal.id, old, Verdict.GONE)
        if error.code in DEAD_GRANT:
            return await self._note_end(portal.id, old, Verdict.DEAD)
        state = find_state(error)
        if state is None:
            return Verdict.AWAY
        await contact_queries.note_refusal(portal, old.version, state, self._clock.now())
        return Verdict.PAUSED

    async def _note_end(self, portal_id: int, old: StoredPair, verdict: Verdict) -> Verdict:
        """Mark the portal for reconnection, which stops contact, and return `verdict`. If the portal has
        another pair by now, mark nothing and return RENEWED or SUPERSEDED. A portal that seems to be gone is
        asked again later, because no event announced the uninstall.
        """
        now = self._clock.now()
        is_marked = await silence_queries.mark_dead(portal_id, old.generation, old.version, now)
        if is_marked and verdict is Verdict.GONE:
            first_at = now + ASK_AGAIN_AFTER_S[0]
            await uninstall_queries.note_unannounced(portal_id, old.generation, now, first_at)
        if is_marked:
            return verdict
        return await self._look_who_was_faster(portal_id, old) or Verdict.SUPERSEDED

    async def _judge(self, portal_id: int, old: StoredPair, verdict: Verdict) -> Verdict:
        """The verdict, after the refreshes of other portals have shown whether `invalid_client` was about our
        secret or about this portal. If our secret is right, each witness that was refused counts as gone too.

        The portal's own lease has been given back by then, because another refresh may need this portal as a
        witness.
        """
        if verdict is not Verdict.SECRET_REJECTED:
            return verdict
        refused: list[tuple[int, StoredPair]] = []

        async def ask(witness: Portal) -> bool | None:
            pair = await self._vault.read_pair(witness.id)
            answer = None if pair is None else SHOWS_SECRET.get(await self._ask_witness(witness, pair))
            if pair is not None and answer is False:
                refused.append((witness.id, pair))
            return answer

        word = await self._witnesses.find_word(portal_id, ask)
        if word is Word.ACCEPTED:
            for other_id, pair in refused:
                await self._note_end(other_id, pair, Verdict.GONE)
            return await self._note_end(portal_id, old, Verdict.GONE)
        if word is Word.UNKNOWN:  # No witness can tell now, so the portal rests before the next question.
            rest = {"pair_bought_at": self._clock.now()}
            await queries.update_unchanged(portal_id, old.generation, old.version, rest)
        return verdict

    async def _ask_witness(self, witness: Portal, pair: StoredPair) -> Verdict:
        """The verdict of the witness's own refresh; TOO_SOON if another refresh has its lease. It does not
        wait for the lease: two portals that judge each other would wait for ever.
        """
        lease = await self._take_lease(witness.id, pair)
        if lease is None:
            return Verdict.TOO_SOON
        return await self._use(lease, witness.id, pair, Cause.OWN_WORK)

    async def _look_who_was_faster(self, portal_id: int, old: StoredPair) -> Verdict | None:
        """RENEWED if the portal has a newer pair, SUPERSEDED if this one must not be used, else None."""
        portal = await queries.get_portal(portal_id)
        if portal is None or portal.generation != old.generation or not portal.is_reachable:
            return Verdict.SUPERSEDED
        return Verdict.RENEWED if portal.token_version != old.version else None

    async def _take_lease(self, portal_id: int, old: StoredPair) -> Lease | None:
        now = self._clock.now()
        lease = Lease(uuid.uuid4().hex, self._monotonic() + LEASE_S)
        is_taken = await queries.take_refresh_lease(
            portal_id, old.generation, old.version, lease.id, now, now + LEASE_S
        )
        return lease if is_taken else None
