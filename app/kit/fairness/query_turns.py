"""Turns at the database's connections, and how long a query may take that is for one portal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from app.kit.fairness.fair_queue import FairQueue
from app.kit.fairness.lanes import Lane, find_lane
from app.kit.fairness.places import Share

# A number that none of 900,000 calls has is looked for in 0.1 to 0.4 s (decision 0021).
QUERY_LIMIT_S = 5.0
WAIT_LIMIT_S = 15.0  # Whoever waits so long for a connection is told to come again.
# Nobody waits for it, and each reads a bounded number of rows: one that takes longer would take for ever.
BACKGROUND_LIMIT_S = 15.0


class QueryTooSlowError(TimeoutError):
    """A query for one portal took longer than it may; the database has given it up."""

    code = "too_slow"


class QueryTurns:
    """Who may query now: users by their portals, the background's short work and the work that lasts by
    theirs, what has no lane at once.

    The connections have to be more than all shares together, so that events never wait for readers.
    """

    def __init__(
        self, of_portals: Share, of_background: Share, of_lasting: Share, *, is_resting: bool = False
    ) -> None:
        """`is_resting`: after a turn of work that lasts, its place rests for as long as the turn took."""
        self._is_resting = is_resting
        self.limit_s, self.background_limit_s = QUERY_LIMIT_S, BACKGROUND_LIMIT_S
        self._portals = FairQueue(of_portals)
        self._background = FairQueue(of_background)
        self._lasting = FairQueue(of_lasting)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[float | None]:
        """Hold a connection's turn while inside: the seconds that a query may take, None without a limit.

        The background waits for as long as it takes, and what it does for all portals has a turn as one has.
        """
        lane = find_lane()
        if lane is None:
            yield None
        elif lane.is_background:
            async with self._take_in_background(lane):
                yield None if lane.portal_id is None else self.background_limit_s
        else:
            async with self._portals.take(lane.portal_id, lane.user_id, WAIT_LIMIT_S):
                yield self.limit_s

    def _take_in_background(self, lane: Lane) -> AbstractAsyncContextManager[None]:
        if lane.is_lasting and self._is_resting:
            return _rest_after(self._lasting, lane.portal_id)
        queue = self._lasting if lane.is_lasting else self._background
        return queue.take(lane.portal_id, 0)

    def stop(self) -> None:
        """Let users who wait for a connection give up, and nobody wait from now on: the process ends."""
        self._portals.stop()


@asynccontextmanager
async def _rest_after(queue: FairQueue, portal_id: int | None) -> AsyncIterator[None]:
    """A turn after which its place rests for as long as it took: half of the time is everybody else's."""
    await queue.acquire(portal_id)
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    try:
        yield
    finally:
        loop.call_later(loop.time() - began_at, queue.release, portal_id)
