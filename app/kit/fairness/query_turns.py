"""Turns at the database's connections, and the time limit of a query that is for one portal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from app.kit.fairness.fair_queue import FairQueue
from app.kit.fairness.lanes import Lane, find_lane
from app.kit.fairness.places import Bounds

# The search for a number that none of 900,000 calls has takes 0.1 to 0.4 s (decision 0021).
QUERY_LIMIT_S = 5.0
WAIT_LIMIT_S = 15.0  # A user who has waited so long for a connection is asked to try again.
# For background work, whose queries each read a bounded number of rows: a query that takes longer than this
# would probably never end.
BACKGROUND_LIMIT_S = 15.0


class QueryTooSlowError(TimeoutError):
    """A query for one portal took longer than its limit, and the database has ended it."""

    code = "too_slow"


class QueryTurns:
    """The turns of queries. Users, short background work and lasting background work have a queue each, in
    which portals take turns; a query without a lane runs at once.

    The database must have more connections than the three queues together have places, so that events never
    wait for readers.
    """

    def __init__(
        self, of_portals: Bounds, of_background: Bounds, of_lasting: Bounds, *, is_resting: bool = False
    ) -> None:
        """`is_resting`: after a turn of lasting work, its place stays free for as long as the turn took."""
        self._is_resting = is_resting
        self.limit_s, self.background_limit_s = QUERY_LIMIT_S, BACKGROUND_LIMIT_S
        self._portals = FairQueue(of_portals)
        self._background = FairQueue(of_background)
        self._lasting = FairQueue(of_lasting)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[float | None]:
        """Hold a turn at a connection while inside; gives the seconds that a query may take, or None for no
        limit.

        Background work waits for its turn without a limit. Background work for all portals takes its turns as
        if it were one more portal.
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
        """End the waits of users for a connection, now and from now on, because this process ends."""
        self._portals.stop()


@asynccontextmanager
async def _rest_after(queue: FairQueue, portal_id: int | None) -> AsyncIterator[None]:
    """A turn after which its place stays free for as long as the turn took, so that half of the time belongs
    to others.
    """
    await queue.acquire(portal_id)
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    try:
        yield
    finally:
        loop.call_later(loop.time() - began_at, queue.release, portal_id)
