"""Finding calls and facts that no event told: reads of a portal's statistics, on evidence and on schedule.

One process at a time reads a portal, by a lease in the mark. `app.portals.tokens.refresh_budget` decides how
many refreshes a read may cost; one statement over all portals finds those that are due.
"""

import asyncio
import sys
from functools import partial

import structlog

from app.calls.statistics.fetch.merge import write_rows
from app.calls.statistics.fetch.range_requests import ask_for_call
from app.calls.statistics.fetch.turn_share import LONGEST_TURN_S
from app.calls.statistics.forward_read import PortalRestsError
from app.calls.statistics.progress.forward_queries import list_due_reads, take_read_lease
from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.progress.read_lease import LEASE_S, LeaseLostError, ReadLease
from app.calls.statistics.progress.read_schedule import plan_delay
from app.calls.statistics.read_turns import FAILURES, Histories, code_of
from app.kit.clock import Clock
from app.kit.fairness.background import Background
from app.kit.fairness.budget import RecentlySeen
from app.kit.fairness.places import Bounds, Places
from app.kit.fairness.turns import Kind, PortalTurns
from app.portals import queries
from app.portals.model import Portal
from app.portals.outbound.access import PortalPausedError
from app.portals.settings.quotas import QuotaReached
from app.portals.tokens.refresh_budget import is_affordable, is_alive

log = structlog.get_logger(__name__)
READ, WELCOME = Kind(name="read", longest_s=LONGEST_TURN_S), Kind(name="welcome", longest_s=LONGEST_TURN_S)
MOST_DUE = 500  # Ids at once: those that have waited longest.
# How many single calls are read at once. A portal may hold each answer back for a minute, so there is a bound
# for each portal; there is none for all portals together.
OF_CALLS = Bounds(overall=sys.maxsize, per_portal=4, per_user=4)
CALL_EVERY_S = 300
LOOK_S = 2.0


class Reconciliation:
    """Reads new calls, and single calls again."""

    def __init__(
        self, histories: Histories, clock: Clock, background: Background, turns: PortalTurns
    ) -> None:
        self._histories = histories
        self._clock = clock
        self._background = background
        self._read_calls = RecentlySeen(clock)
        self._turns = turns
        self._places = Places(OF_CALLS)

    async def run_due(self) -> None:
        """Begin a read for each portal that is due, longest waiting first."""
        self._turns.begin_all(READ, await list_due_reads(self._clock.now(), MOST_DUE), self._read_if_due)

    async def read(self, portal: Portal) -> bool:
        """Read the portal's new calls; return whether the statistics were read to their end. False also when
        another process has the lease, or when the portal must rest.

        The mark notes a failure. After each further failure the wait until the next read is longer.
        """
        now = self._clock.now()
        mark = await take_read_lease(portal.id, portal.generation, now, now + LEASE_S)
        if mark is None:
            return False
        lease = ReadLease(mark)
        try:
            await self._histories.catch_up(portal, lease=lease)
        except PortalRestsError as rest:
            await lease.give_back({"next_at": self._clock.now() + rest.rest_s})
        except LeaseLostError:  # The mark is another process's, and says nothing of this read.
            log.warning("statistics not read", portal_id=portal.id, code="lease_lost")
        except asyncio.CancelledError:  # Its turn is over: the batch that was under way is read again.
            next_at = self._clock.now() + plan_delay(mark.failures)
            await lease.give_back({"next_at": next_at, "batch_pages": mark.fewer_pages})
            raise
        except Exception as failure:
            log.warning("statistics not read", portal_id=portal.id, code=code_of(failure))
            await lease.give_back(self._after(failure, mark))
            if not isinstance(failure, FAILURES):  # An unexpected failure must not hold the lease either.
                raise
        else:
            return True
        return False

    def _after(self, failure: Exception, mark: Mark) -> dict[str, object]:
        """The mark's changes after a failure: when to go on, and with fewer pages."""
        if isinstance(failure, QuotaReached):
            return {"next_at": self._clock.now() + failure.retry_after_s, "failure_code": failure.code}
        failures = mark.failures if isinstance(failure, PortalPausedError) else mark.failures + 1
        return {
            "next_at": self._clock.now() + plan_delay(failures),
            "failures": failures,
            "failure_code": code_of(failure),
            "batch_pages": mark.fewer_pages,
        }

    def welcome(self, portal: Portal) -> None:
        """Begin a read because an administrator has opened the tab: with the new pair from the tab, the read
        costs no refresh.
        """
        self._turns.begin(WELCOME, portal.id, partial(self._read_for_tab, portal.id))

    async def read_call(self, portal: Portal, call_id: str) -> bool:
        """Read one call again, however old it is, because a viewer looks at it. Returns whether anything
        changed, and False while the read goes on.

        At most once in five minutes for each call, and only where the budget of refreshes allows it. The
        viewer waits for two seconds at most, then the read goes on without them. A portal that does not
        answer is no failure for the viewer.
        """
        if self._places.find_full(portal.id, None):
            return False
        task = self._background.spawn("call", self._read_call(portal, call_id))
        self._places.enter(portal.id, None)
        task.add_done_callback(lambda _: self._places.leave(portal.id, None))
        await asyncio.wait({task}, timeout=LOOK_S)
        return task.done() and task.result()

    async def _read_call(self, portal: Portal, call_id: str) -> bool:
        current = await queries.get_portal(portal.id)
        key = f"{portal.id}:{call_id}"
        if current is None or current.generation != portal.generation or key in self._read_calls:
            return False
        now = self._clock.now()
        if not is_affordable(current, now):
            return False
        self._read_calls.remember(key, CALL_EVERY_S)
        try:
            records = await ask_for_call(self._histories.access, current, call_id)
            written = await write_rows(self._histories.destination_of(current), records, now)
        except FAILURES as failure:
            log.warning("call not read", portal_id=portal.id, code=code_of(failure))
            return False
        return bool(written.inserted or written.changed)

    async def _read_if_due(self, portal_id: int) -> None:
        portal = await queries.get_portal(portal_id)
        if portal is None or not portal.is_reachable:
            return
        # The token may have expired since the portal was found due, because the portal may have waited for a
        # place.
        if is_affordable(portal, self._clock.now()):
            await self.read(portal)

    async def _read_for_tab(self, portal_id: int) -> None:
        portal = await queries.get_portal(portal_id)
        if portal is None or not portal.is_reachable or portal.contact_state != "ok":
            return
        if is_alive(portal, self._clock.now()):
            await self.read(portal)
