"""Uninstalls: an event announces one but proves nothing; the authorization server proves it.

`application_token` passes through the browser of each user that opens the tab, and a late event can follow a
reinstallation. So the event only makes us ask whether the server still accepts the stored pair. If no event
came and a refresh is answered as if the application were gone, the same answer has to come five times, over a
day. Documentation: api-reference/common/events/on-app-uninstall.md.
"""

from enum import Enum
from functools import partial

import structlog

from app.bitrix24.errors import APP_GONE, BitrixError, BitrixFailure
from app.bitrix24.rest.oauth import AuthorizationServer
from app.kit.clock import Clock
from app.kit.fairness.turns import PortalTurns
from app.portals import queries
from app.portals.absence import gone_guard, uninstall_queries
from app.portals.absence.announcements import Announcements
from app.portals.absence.gone_rules import ASK_AGAIN_AFTER_S, plan_next
from app.portals.absence.uninstall_queries import TakenCheck
from app.portals.departure.erasure import ERASURE, Calls, Erasure
from app.portals.model import Portal
from app.portals.tokens.refresh import Refresher, Verdict
from app.portals.tokens.refresh_budget import Cause
from app.portals.vault import StoredPair, Vault

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """The state of an announced uninstall."""

    ERASED = "erased"
    STILL_INSTALLED = "still_installed"
    PENDING = "pending"


class Proof(Enum):
    """The conclusion from the authorization server's answers."""

    INSTALLED = "installed"
    UNINSTALLED = "uninstalled"
    # A pair also dies without an uninstall: a restored backup holds an older pair, or the next pair got lost.
    PAIR_DEAD = "pair_dead"
    NOTHING = "nothing"


class Uninstaller:
    """Checks announced uninstalls, one at a time for each portal."""

    def __init__(
        self,
        authorization_server: AuthorizationServer,
        refresher: Refresher,
        vault: Vault,
        erasure: Erasure,
        clock: Clock,
        turns: PortalTurns,
    ) -> None:
        self._announcements = Announcements(clock)
        self._server = authorization_server
        self._refresher = refresher
        self._vault = vault
        self._erasure = erasure
        self._clock = clock
        self._turns = turns

    async def announce(self, portal: Portal, *, is_clean: bool) -> Outcome:
        """Note the event and check it; return its state. Repeated events cause at most one question a minute,
        and no writes in between.
        """
        check = await self._announcements.note(portal, is_clean=is_clean)
        return await self._follow(portal.id, check)

    async def check(self, portal_id: int) -> Outcome:
        """Check a noted uninstall if it is due and no other process checks it; return its state."""
        return await self._follow(portal_id, await uninstall_queries.take_check(portal_id, self._clock.now()))

    async def _follow(self, portal_id: int, check: TakenCheck | None) -> Outcome:
        if check is None:
            return await self._look_up_outcome(portal_id)
        portal = await queries.get_portal(portal_id)
        if portal is not None and not portal.is_installed:
            return await self._resume(portal_id, check.generation)
        if portal is None or not _is_same(portal, check):
            await uninstall_queries.drop_check(portal_id, check.generation)
            return Outcome.STILL_INSTALLED
        proof = await self._ask(portal)
        log.info("uninstall checked", portal_id=portal_id, proof=proof.value, attempts=check.attempts + 1)
        if check.is_unannounced:
            return await self._conclude_unannounced(portal, proof, check)
        return await self._conclude(portal, proof, check.attempts)

    async def _resume(self, portal_id: int, generation: int) -> Outcome:
        """Finish an erasure that was interrupted before all people were erased."""
        await self._erasure.erase_at_once(portal_id, generation)
        self._turns.begin(ERASURE, portal_id, partial(self._erasure.finish, portal_id), is_news=True)
        return Outcome.ERASED

    async def _look_up_outcome(self, portal_id: int) -> Outcome:
        """The state as stored, for a caller that must not ask now: another process asks, or the last question
        was a moment ago.
        """
        standing = await self._announcements.find(portal_id)
        if not standing.is_installed:
            # While there is a note, the portal's people are still to be erased.
            return Outcome.PENDING if standing.noted else Outcome.ERASED
        is_answered = standing.noted is not None and standing.noted.has_answer(self._clock.now())
        return Outcome.STILL_INSTALLED if is_answered else Outcome.PENDING

    async def _ask(self, portal: Portal) -> Proof:
        """The proof from the stored pair: by its access token if that tells anything, else by a refresh."""
        pair = await self._vault.read_pair(portal.id)
        if pair is None:
            return Proof.PAIR_DEAD
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
        """The proof from a refresh, also of a pair that is marked dead."""
        if portal.token_state != "ok":
            return PROOF_OF[await self._refresher.ask_anyway(portal, pair)]
        return PROOF_OF[await self._refresher.renew(portal.id, pair, Cause.OWN_WORK)]

    async def _conclude(self, portal: Portal, proof: Proof, attempts: int) -> Outcome:
        if proof in CALLS_BY_PROOF:
            if await self._erase(portal, CALLS_BY_PROOF[proof]):
                return Outcome.ERASED
            proof = Proof.INSTALLED  # Another, verified pair was stored during the question.
        if proof is Proof.INSTALLED and attempts >= len(ASK_AGAIN_AFTER_S):
            await uninstall_queries.drop_check(portal.id, portal.generation)
            return Outcome.STILL_INSTALLED
        now = self._clock.now()
        next_at = now + ASK_AGAIN_AFTER_S[min(attempts, len(ASK_AGAIN_AFTER_S) - 1)]
        is_answered = proof is Proof.INSTALLED
        await uninstall_queries.postpone_check(
            portal.id, portal.generation, attempts + 1, now, next_at, is_answered=is_answered
        )
        return Outcome.STILL_INSTALLED if is_answered else Outcome.PENDING

    async def _conclude_unannounced(self, portal: Portal, proof: Proof, check: TakenCheck) -> Outcome:
        """Act on one answer about an unannounced uninstall. The same answer again is one step further,
        silence changes nothing, and any other answer ends the suspicion.
        """
        if proof in {Proof.NOTHING, Proof.UNINSTALLED}:
            return await self._go_on(portal, check, is_said=proof is Proof.UNINSTALLED)
        if proof is Proof.INSTALLED:  # The pair counts as alive until a refresh says otherwise.
            alive = {"token_state": "ok"}
            await queries.update_unchanged(portal.id, portal.generation, portal.token_version, alive)
        await uninstall_queries.drop_unannounced(portal.id)
        return Outcome.STILL_INSTALLED

    async def _go_on(self, portal: Portal, check: TakenCheck, *, is_said: bool) -> Outcome:
        now = self._clock.now()
        is_held = is_said and not check.is_accepted and await gone_guard.is_holding(now)
        planned = plan_next(check.attempts, is_said=is_said, is_held=is_held)
        if planned is None:
            return Outcome.ERASED if await self._erase(portal, Calls.AS_ANNOUNCED) else Outcome.PENDING
        attempts, pause_s = planned
        await uninstall_queries.postpone_check(
            portal.id,
            portal.generation,
            attempts,
            now,
            now + pause_s,
            is_answered=False,
            is_unannounced=True,
        )
        return Outcome.PENDING

    async def _erase(self, portal: Portal, calls: Calls) -> bool:
        """Erase the portal; False if another, verified pair was stored during the question."""
        if not await self._erasure.uninstall(portal, calls):
            return False
        self._turns.begin(ERASURE, portal.id, partial(self._erasure.finish, portal.id), is_news=True)
        return True


def _is_same(portal: Portal, check: TakenCheck) -> bool:
    """Whether the check is about this installation, and no new pair has come after the refused one."""
    is_healed = check.is_unannounced and portal.token_state == "ok"
    return portal.generation == check.generation and not is_healed


CALLS_BY_PROOF = {
    Proof.UNINSTALLED: Calls.AS_ANNOUNCED,
    Proof.PAIR_DEAD: Calls.KEPT,
}
PROOF_OF = {
    Verdict.RENEWED: Proof.INSTALLED,
    Verdict.DEAD: Proof.PAIR_DEAD,
    Verdict.GONE: Proof.UNINSTALLED,
    Verdict.SECRET_REJECTED: Proof.NOTHING,
    Verdict.PAUSED: Proof.NOTHING,
    Verdict.AWAY: Proof.NOTHING,
    Verdict.TOO_SOON: Proof.NOTHING,
    Verdict.SUPERSEDED: Proof.NOTHING,
}
