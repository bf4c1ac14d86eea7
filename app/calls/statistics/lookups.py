"""Looking calls up in a portal's statistics on a hint: at most once a minute for each portal."""

from functools import partial

import structlog

from app.calls.statistics.forward_read import PortalRestsError
from app.calls.statistics.progress.evidence_queries import want_reads
from app.calls.statistics.read_turns import FAILURES, Histories
from app.kit.clock import Clock
from app.kit.fairness.turns import Kind, PortalTurns
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.model import Portal
from app.portals.tokens.refresh_budget import is_affordable

log = structlog.get_logger(__name__)
PAUSE_S = 60
LOOKUP = Kind(name="lookup")
MOST_WAITING = 500  # Portals at once: those that have waited longest.


class Lookups:
    """Notes that a portal's calls are to be looked up, and looks them up when the portal's minute is over."""

    def __init__(self, histories: Histories, database: Database, clock: Clock, turns: PortalTurns) -> None:
        self._histories = histories
        self._database = database
        self._clock = clock
        self._turns = turns

    async def want(self, portal: Portal) -> None:
        """Note the wish for a lookup, and try it now; if that fails, the scheduler serves the wish later.

        A wish that is noted already covers this one, so a stranger who repeats hints causes no write.
        """
        if portal.is_lookup_wanted:
            return
        await queries.want_lookup(portal.id, portal.generation, self._clock.now())
        self._turns.begin(LOOKUP, portal.id, partial(self.look, portal))

    async def look(self, portal: Portal) -> None:
        """Read the statistics to their end, unless that was tried less than a minute ago.

        A lookup that fails, or that the budget of refreshes does not allow, becomes evidence. This is needed
        because the hint may come only once; reconciliation repeats the read of a portal that fails, after a
        wait that grows.
        """
        now = self._clock.now()
        if not await queries.take_lookup(portal.id, now, PAUSE_S):
            return
        is_done = False
        try:
            current = await queries.get_portal(portal.id)
            is_done = current is not None and await self._look_if_free(current, now)
        finally:
            if not is_done:
                await want_reads(self._database, {portal.id}, now)

    async def _look_if_free(self, portal: Portal, now: int) -> bool:
        if not is_affordable(portal, now):
            return False
        try:
            await self._histories.catch_up(portal)
        except PortalRestsError as rest:
            log.info("lookup goes on later", portal_id=portal.id, rest_s=rest.rest_s)
            return False
        except FAILURES as error:
            log.warning("lookup failed", portal_id=portal.id, error=type(error).__name__)
            return False
        return True

    async def look_where_wanted(self) -> None:
        """Begin a lookup for each wish that had to wait."""
        for portal in await queries.list_waiting_for_lookup(self._clock.now(), MOST_WAITING):
            self._turns.begin(LOOKUP, portal.id, partial(self.look, portal))
