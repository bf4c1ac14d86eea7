"""Looking calls up in a portal's statistics on a hint: at most once a minute for each portal."""

import structlog

from app.bitrix24.errors import BitrixFailure
from app.calls.asking import StatisticsRefusedError
from app.calls.histories import Histories
from app.kit.background import Background
from app.kit.clock import Clock
from app.portals import queries
from app.portals.access import PortalNotConnectedError, PortalUnreachableError
from app.portals.model import Portal

log = structlog.get_logger(__name__)
PAUSE_S = 60


class Lookups:
    """Notes that a portal wants a look, and looks when its minute has passed."""

    def __init__(self, histories: Histories, clock: Clock, background: Background) -> None:
        self._histories = histories
        self._clock = clock
        self._background = background

    async def want(self, portal: Portal) -> None:
        """Note the wish, so that the scheduler serves it if it cannot be served now, and try now.

        A wish that is noted already covers this one: strangers who repeat hints make us write nothing.
        """
        if portal.is_lookup_wanted:
            return
        await queries.want_lookup(portal.id, portal.generation, self._clock.now())
        self._background.spawn("lookup", self.look(portal))

    async def look(self, portal: Portal) -> None:
        """Read the statistics to their end, unless that was tried less than a minute ago.

        A look that fails is wanted again: nobody may repeat the hint.
        """
        if not await queries.claim_lookup(portal.id, self._clock.now(), PAUSE_S):
            return
        try:
            await self._histories.catch_up(portal)
        except (
            BitrixFailure,
            PortalNotConnectedError,
            PortalUnreachableError,
            StatisticsRefusedError,
        ) as error:
            log.warning("lookup failed", portal_id=portal.id, error=type(error).__name__)
            await queries.want_lookup(portal.id, portal.generation, self._clock.now())

    async def look_where_wanted(self) -> None:
        """Serve the wishes that had to wait."""
        for portal in await queries.list_waiting_for_lookup(self._clock.now(), limit=50):
            await self.look(portal)
