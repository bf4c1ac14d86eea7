"""Buying a new pair: once for all who wait, in one process or many, and never under another installation.

The order is: claim a lease in the row (one statement), ask the authorization server with no transaction
open, store the answer in one statement that holds only while the token version is still the one that was
used.
Documentation: settings/oauth/auto-renewal.md.
"""

import asyncio
import uuid
from enum import Enum

import structlog

from app.bitrix24.address import AddressPolicy
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
from app.portals import queries
from app.portals.fact_queries import read_fact, write_fact
from app.portals.lifecycle import address_changes, plan_renewal
from app.portals.model import Portal
from app.portals.vault import StoredPair, Vault

log = structlog.get_logger(__name__)
LEASE_S = 30  # Longer than the authorization server's total time-out of 15 s.
POLL_S = 0.1
CLIENT_SECRET = "client_secret_answer"


class Verdict(Enum):
    """What the authorization server said of a portal's stored pair."""

    RENEWED = "renewed"  # there is a fresh pair
    DEAD = "dead"  # invalid_grant: this pair buys nothing any more
    GONE = "gone"  # the application is not installed there
    SECRET_REJECTED = "secret_rejected"  # our own client secret: says nothing of the portal
    AWAY = "away"  # nothing was learnt
    SUPERSEDED = "superseded"  # another installation, or no installation, since


class Refresher:
    """Renews pairs; twenty waiting calls in two processes make one request."""

    def __init__(
        self,
        authorization_server: AuthorizationServer,
        policy: AddressPolicy,
        vault: Vault,
        clock: Clock,
        background: Background,
    ) -> None:
        self._server = authorization_server
        self._policy = policy
        self._vault = vault
        self._clock = clock
        self._background = background
        self._running: dict[tuple[int, int], asyncio.Task[Verdict]] = {}

    async def renew(self, portal_id: int, spent: StoredPair) -> Verdict:
        """Replace the pair of this version, or learn that somebody did, or why it cannot be.

        Marks the portal for reconnection when its pair is dead. Runs to its end even if the caller is
        cancelled.
        """
        key = (portal_id, spent.version)
        task = self._running.get(key)
        if task is None:
            task = self._background.spawn("refresh", self._renew(portal_id, spent))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(task)

    async def _renew(self, portal_id: int, spent: StoredPair) -> Verdict:
        lease_id = uuid.uuid4().hex
        while not await self._claim(portal_id, spent, lease_id):
            overtaken = await self._look_who_was_faster(portal_id, spent)
            if overtaken is not None:
                return overtaken
            await asyncio.sleep(POLL_S)  # Another process is asking: its answer serves us too.
        return await self._ask_and_release(portal_id, spent, lease_id)

    async def _ask_and_release(
        self, portal_id: int, spent: StoredPair, lease_id: str, *, is_witness: bool = False
    ) -> Verdict:
        verdict = Verdict.AWAY
        try:
            portal = await queries.get_portal(portal_id)
            if portal is not None:
                verdict = await self._ask(portal, spent, is_witness=is_witness)
        finally:
            await queries.release_refresh(portal_id, lease_id, is_doubtful=verdict is Verdict.AWAY)
        return verdict

    async def ask_anyway(self, portal: Portal, pair: StoredPair) -> Verdict:
        """Ask with a pair that is marked dead, to learn whether the application is still installed."""
        return await self._ask(portal, pair, is_witness=False)

    async def _ask(self, portal: Portal, spent: StoredPair, *, is_witness: bool) -> Verdict:
        try:
            pair = await self._server.refresh(portal.oauth_server, spent.refresh_token, portal.member_id)
        except BitrixError as error:
            return await self._judge(portal, spent, error, is_witness=is_witness)
        except (Unreachable, AddressRefused) as failure:
            log.warning("refresh failed", portal_id=portal.id, code=failure.code)
            return Verdict.AWAY
        if pair.member_id and pair.member_id != portal.member_id:
            log.error("refresh answered for another portal", portal_id=portal.id)
            return Verdict.AWAY
        await write_fact(CLIENT_SECRET, "accepted", self._clock.now())
        if await self._store(portal, spent, pair):
            return Verdict.RENEWED
        return await self._look_who_was_faster(portal.id, spent) or Verdict.SUPERSEDED

    async def _judge(
        self, portal: Portal, spent: StoredPair, error: BitrixError, *, is_witness: bool
    ) -> Verdict:
        log.warning("refresh refused", portal_id=portal.id, code=error.code)
        if error.code in WRONG_CLIENT:
            if is_witness or not await self._is_secret_accepted(portal):
                await write_fact(CLIENT_SECRET, "rejected", self._clock.now())
                return Verdict.SECRET_REJECTED
            return await self._mark(portal, spent, Verdict.GONE)
        if error.code in APP_GONE:
            return await self._mark(portal, spent, Verdict.GONE)
        if error.code in DEAD_GRANT:
            return await self._mark(portal, spent, Verdict.DEAD)
        return Verdict.AWAY

    async def _mark(self, portal: Portal, spent: StoredPair, verdict: Verdict) -> Verdict:
        """Mark the portal for reconnection and so stop contact, unless it has another pair by now."""
        is_marked = await queries.update_unchanged(
            portal.id, spent.generation, spent.version, {"token_state": "reinstall_needed"}
        )
        if is_marked:
            return verdict
        return await self._look_who_was_faster(portal.id, spent) or Verdict.SUPERSEDED

    async def _is_secret_accepted(self, portal: Portal) -> bool:
        """Whether another portal's refresh succeeds now: then `invalid_client` is about this portal alone.

        It never waits for that portal's lease: two portals that judge each other would wait for ever.
        """
        witness = await queries.find_other_reachable(portal.id)
        pair = await self._vault.read_pair(witness.id) if witness else None
        if witness is None or pair is None:
            return False
        lease_id = uuid.uuid4().hex
        if not await self._claim(witness.id, pair, lease_id):
            return False
        verdict = await self._ask_and_release(witness.id, pair, lease_id, is_witness=True)
        return verdict in {Verdict.RENEWED, Verdict.SUPERSEDED}

    async def _store(self, portal: Portal, spent: StoredPair, pair: TokenPair) -> bool:
        now = self._clock.now()
        changes = {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_version": spent.version + 1,
            "access_expires_at": now + pair.expires_in,
            "pair_dated_at": pair.expires_at,
            "renew_at": plan_renewal(portal.member_id, now),
            "token_state": "ok",
            "refresh_lease_id": None,
            "refresh_lease_until": 0,
        } | self._moved(portal, pair)
        sealed = self._vault.seal_changes(portal.id, changes)
        return await queries.update_unchanged(portal.id, spent.generation, spent.version, sealed)

    def _moved(self, portal: Portal, pair: TokenPair) -> dict[str, str]:
        """The portal's new address, if the answer names another one that may be contacted."""
        try:
            endpoint = self._policy.check_portal(pair.client_endpoint)
        except AddressRefused:
            return {}
        return address_changes(endpoint) if endpoint != portal.client_endpoint else {}

    async def _look_who_was_faster(self, portal_id: int, spent: StoredPair) -> Verdict | None:
        """RENEWED when the portal has a newer pair, SUPERSEDED when nobody may use this one, else None."""
        portal = await queries.get_portal(portal_id)
        if portal is None or portal.generation != spent.generation or not portal.is_reachable:
            return Verdict.SUPERSEDED
        return Verdict.RENEWED if portal.token_version != spent.version else None

    async def _claim(self, portal_id: int, spent: StoredPair, lease_id: str) -> bool:
        now = self._clock.now()
        return await queries.claim_refresh(
            portal_id, spent.generation, spent.version, lease_id, now, now + LEASE_S
        )


async def is_client_secret_rejected() -> bool:
    """Whether the last word on our client secret was no ("health is red")."""
    return await read_fact(CLIENT_SECRET) == "rejected"
