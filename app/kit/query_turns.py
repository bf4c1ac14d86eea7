"""Turns at the database's connections, and how long a person's query may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.kit.fair_queue import FairQueue
from app.kit.lanes import BACKGROUND, find_lane
from app.kit.places import Share

# A number that none of 900,000 calls has is looked for in 0.1 to 0.4 s (decision 0021).
QUERY_LIMIT_S = 5.0
WAIT_LIMIT_S = 15.0  # Whoever waits so long for a connection is told to come again.


class QueryTooSlowError(TimeoutError):
    """A query that somebody waits for took longer than it may; the database has given it up."""


class QueryTurns:
    """Who may query now: users by their portals, the background apart, what has no lane at once.

    The connections have to be more than both shares together, so that events never wait for readers.
    """

    def __init__(self, of_portals: Share, of_background: int) -> None:
        self.limit_s = QUERY_LIMIT_S
        self._portals = FairQueue(of_portals)
        self._background = asyncio.Semaphore(of_background)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[float | None]:
        """Hold a connection's turn while inside: the seconds that a query may take, None without a limit."""
        lane = find_lane()
        if lane is None:
            yield None
        elif lane is BACKGROUND:
            async with self._background:
                yield None
        else:
            assert lane.portal_id is not None  # noqa: S101  As `find_lane` says.
            async with self._portals.take(lane.portal_id, lane.user_id, WAIT_LIMIT_S):
                yield self.limit_s
