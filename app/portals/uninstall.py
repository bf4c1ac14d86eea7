"""Uninstalling: announced by an event that proves nothing, proven by the authorization server, then erased.

`application_token` passes through the browser of everyone who opens the tab, and a late event can follow a
reinstallation. So the event only makes us ask whether the stored pair is still accepted.
Documentation: api-reference/common/events/on-app-uninstall.md.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import structlog

from app.bitrix24.errors import APP_GONE, BitrixError, BitrixFailure
from app.bitrix24.oauth import AuthorizationServer
from app.kit.clock import Clock
from app.kit.database import Database
from app.portals import lifecycle, queries, uninstall_queries
from app.portals.exchange_queries import erase_exchanges
from app.portals.model import Portal
from app.portals.refresh import Refresher, Verdict
from app.portals.vault import StoredPair, Vault

log = structlog.get_logger(__name__)
CALLS_KEPT_S = 30 * 24 * 3600
CLAIM_S = 120  # Longer than one check can take: two questions, another's lease, three witnesses.
ASK_AGAIN_AFTER_S = (60, 600, 3600, 24 * 3600)

Erase = Callable[[int], Awaitable[None]]


class Outcome(Enum):
    """How an announced uninstall stands."""

    ERASED = "erased"
    STILL_INSTALLED = "still_installed"
    PENDING = "pending"


class Proof(Enum):
    """What the authorization server's answers prove."""

    INSTALLED = "installed"
    UNINSTALLED = "uninstalled"
    PAIR_DEAD = "pair_dead"
    PAIR_UNCERTAIN = "pair_uncertain"  # dead, but it may have been so before
    NOTHING = "nothing"


class Calls(Enum):
    """What becomes of the calls of a portal that is uninstalled."""

    AS_ANNOUNCED = "as announced"
    KEPT = "kept for 30 days"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Erasers:
    """What other features erase, given to this one by the wiring: at once, and when the calls' time has
    come.
    """

    at_once: Sequence[Erase]
    with_calls: Sequence[Erase]


class Uninstaller:
    """Checks announced uninstalls, one at a time for each portal, and erases what is to be erased."""

    def __init__(
        self,
        authorization_server: AuthorizationServer,
        refresher: Refresher,
        vault: Vault,
        database: Database,
        clock: Clock,
        erasers: Erasers,
    ) -> None:
        self._server = authorization_server
        self._refresher = refresher
        self._vault = vault
        self._database = database
        self._clock = clock
        self._erasers = erasers

    async def announce(self, portal: Portal, *, is_clean: bool) -> Outcome:
        """Note the event, check it, and say how it stands. Repeated ones ask at most once a minute."""
        await uninstall_queries.note_uninstall(
            portal.id, portal.generation, self._clock.now(), is_clean=is_clean
        )
        return await self.check(portal.id)

    async def check(self, portal_id: int) -> Outcome:
        """Check a noted uninstall if it is due and nobody else is at it."""
        now = self._clock.now()
        claim = await uninstall_queries.claim_check(portal_id, now, now + CLAIM_S)
        if claim is None:
            return await self._look_up_outcome(portal_id)
        generation, attempts = claim
        portal = await queries.get_portal(portal_id)
        if portal is None or not portal.is_installed or portal.generation != generation:
            await uninstall_queries.drop_check(portal_id)
            return Outcome.STILL_INSTALLED
        proof = await self._ask(portal)
        log.info("uninstall checked", portal_id=portal_id, proof=proof.value, attempts=attempts + 1)
        return await self._conclude(portal, proof, attempts)

    async def _look_up_outcome(self, portal_id: int) -> Outcome:
        """Somebody else is asking, or it was asked a moment ago."""
        portal = await queries.get_portal(portal_id)
        if portal is None or not portal.is_installed:
            return Outcome.ERASED
        is_answered = await uninstall_queries.is_answered(portal_id, self._clock.now())
        return Outcome.STILL_INSTALLED if is_answered else Outcome.PENDING

    async def _ask(self, portal: Portal) -> Proof:
        """Whether the stored pair is still accepted: the access token first, then, if it says nothing, the
        pair.
        """
        pair = await self._vault.read_pair(portal.id)
        if pair is None:
            return Proof.PAIR_UNCERTAIN
        try:
            info = await self._server.app_info(pair.access_token, portal.oauth_server, portal.member_id)
        except BitrixError as error:
            if error.code in APP_GONE:
                return Proof.UNINSTALLED
        except BitrixFailure:
            return Proof.NOTHING
        else:
            return Proof.INSTALLED if info.member_id == portal.member_id else Proof.NOTHING
        return await self._try_pair(await queries.get_portal(portal.id) or portal, pair)

    async def _try_pair(self, portal: Portal, pair: StoredPair) -> Proof:
        """What a refresh tells. A pair that was marked dead, or spent for an answer that was lost, is dead
        without an uninstall too.
        """
        if portal.token_state != "ok":
            proof = PROOF_OF[await self._refresher.ask_anyway(portal, pair)]
        else:
            proof = PROOF_OF[await self._refresher.renew(portal.id, pair)]
        was_healthy = portal.token_state == "ok" and not portal.has_dangling_refresh
        return Proof.PAIR_UNCERTAIN if proof is Proof.PAIR_DEAD and not was_healthy else proof

    async def _conclude(self, portal: Portal, proof: Proof, attempts: int) -> Outcome:
        if proof in CALLS_BY_PROOF:
            if await self.erase(portal, CALLS_BY_PROOF[proof]):
                return Outcome.ERASED
            proof = Proof.INSTALLED  # Somebody stored another, verified pair while this one was asked about.
        if proof is Proof.INSTALLED and attempts >= len(ASK_AGAIN_AFTER_S):
            await uninstall_queries.drop_check(portal.id)
            return Outcome.STILL_INSTALLED
        now = self._clock.now()
        next_at = now + ASK_AGAIN_AFTER_S[min(attempts, len(ASK_AGAIN_AFTER_S) - 1)]
        is_answered = proof is Proof.INSTALLED
        await uninstall_queries.postpone_check(portal.id, attempts + 1, now, next_at, is_answered=is_answered)
        return Outcome.STILL_INSTALLED if is_answered else Outcome.PENDING

    async def erase(self, portal: Portal, calls: Calls) -> bool:
        """Erase secrets and people now, calls now or in 30 days; False when it was installed anew
        meanwhile.
        """
        now = self._clock.now()
        async with self._database.transaction():
            row = await queries.lock_row(portal.member_id, is_sqlite=self._database.is_sqlite)
            if row is None or not _is_same_installation(row, portal):
                return False
            is_announced_clean = await uninstall_queries.drop_check(portal.id)
            is_clean = calls is Calls.ERASED or (calls is Calls.AS_ANNOUNCED and is_announced_clean)
            erase_at = now if is_clean else now + CALLS_KEPT_S
            await queries.update_locked(portal.id, lifecycle.decide_uninstall(row, now, erase_at))
            await erase_exchanges(portal.member_id)
            for erase in self._erasers.at_once:
                await erase(portal.id)
        log.info("uninstalled", portal_id=portal.id, erase_at=erase_at)
        if is_clean:
            await self.erase_calls(portal)
        await self._database.overwrite_deleted()
        return True

    async def forget(self, portal: Portal) -> None:
        """Erase a portal and all its data now, because the vendor says so."""
        current: Portal | None = portal
        while current is not None and current.is_installed:
            if await self.erase(current, Calls.ERASED):
                return
            current = await queries.get_portal(portal.id)  # A refresh or installation came in between.
        await self.erase_calls(portal)

    async def erase_calls(self, portal: Portal) -> None:
        """Erase all that was kept of an uninstalled portal; it can be interrupted and run again.

        The row gives up its `member_id` first, so that a reinstallation begins a new tenant and cannot lose
        a call to this erasure.
        """
        if not await queries.bury(portal.id):
            return  # It was installed anew: the calls belong to that installation again.
        for erase in self._erasers.with_calls:
            await erase(portal.id)
        await queries.delete_buried(portal.id)
        await self._database.overwrite_deleted()


def _is_same_installation(row: queries.Row, portal: Portal) -> bool:
    """Whether nobody installed again or stored another pair after the one that was asked about."""
    return bool(
        row["state"] == "installed"
        and row["generation"] == portal.generation
        and row["token_version"] == portal.token_version
    )


CALLS_BY_PROOF = {
    Proof.UNINSTALLED: Calls.AS_ANNOUNCED,
    Proof.PAIR_DEAD: Calls.AS_ANNOUNCED,
    Proof.PAIR_UNCERTAIN: Calls.KEPT,
}
PROOF_OF = {
    Verdict.RENEWED: Proof.INSTALLED,
    Verdict.DEAD: Proof.PAIR_DEAD,
    Verdict.GONE: Proof.UNINSTALLED,
    Verdict.SECRET_REJECTED: Proof.NOTHING,
    Verdict.AWAY: Proof.NOTHING,
    Verdict.SUPERSEDED: Proof.NOTHING,
}
