"""The portal's leaky bucket, kept on our side too, so that it never has to refuse us.

Documentation: limits.md (drains 2 a second, blocks above 50; one bucket for a portal and a source address).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from app.bitrix24.errors import BitrixError

DRAIN_PER_S = 2.0
CAPACITY = 45.0  # Of 50: requests arrive later than they leave, and not all as late as each other.
MAX_WAIT_S = 60.0
MAX_AT_ONCE = 8  # Of the connections that all portals share (see network.py).
_SWEEP_ABOVE = 1000


class RateBucket:
    """One bucket for each portal's host, and so many places for requests that are under way there.

    `monotonic` and `sleep` are real unless a test moves time.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._levels: dict[str, tuple[float, float]] = {}
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def take(self, host: str, weight: float = 1) -> None:
        """Wait until the portal admits `weight` more requests; callers are served in the order they came.

        Raises BitrixError `query_limit_exceeded`, as the portal would, when the wait would exceed a minute.
        """
        level = self._level(host) + weight
        wait_s = max(0.0, (level - CAPACITY) / DRAIN_PER_S)
        if wait_s > MAX_WAIT_S:
            raise BitrixError("query_limit_exceeded", 503, "too many requests wait for this portal")
        self._levels[host] = (level, self._monotonic())
        if wait_s:
            await self._sleep(wait_s)

    @asynccontextmanager
    async def hold_place(self, host: str) -> AsyncIterator[None]:
        """Wait for a place among the requests under way at the host, and keep it meanwhile.

        A portal that holds its answers back keeps its own requests waiting, not those of other portals.
        """
        places = self._places.get(host)
        if places is None:
            places = self._places[host] = asyncio.Semaphore(MAX_AT_ONCE)
        async with places:
            yield

    def fill(self, host: str) -> None:
        """Take note that the portal refused: others share its bucket, which is fuller than we knew."""
        self._levels[host] = (max(CAPACITY, self._level(host)), self._monotonic())

    def _level(self, host: str) -> float:
        now = self._monotonic()
        if len(self._levels) > _SWEEP_ABOVE:
            self._levels = {h: entry for h, entry in self._levels.items() if _drained(entry, now) > 0}
        return _drained(self._levels.get(host, (0.0, now)), now)


def _drained(entry: tuple[float, float], now: float) -> float:
    level, at = entry
    return max(0.0, level - (now - at) * DRAIN_PER_S)
