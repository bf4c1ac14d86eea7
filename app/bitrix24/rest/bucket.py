"""A copy of the portal's leaky bucket on our side, so that the portal never has to refuse a request.

Documentation: limits.md (drains 2 a second, blocks above 50; one bucket for a portal and a source address).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest.accounts import Accounts, LocalAccounts

DRAIN_MS = 500  # The time in which a portal forgets one request.
# Less than the portal's 50, because requests take different times to arrive and may come close together.
CAPACITY = 45
MAX_WAIT_S = 60
MAX_WAITING = 120  # As many as the portal takes within MAX_WAIT_S.
# The connections that one portal's requests hold at most, of all connections (see network.py).
MAX_AT_ONCE = 8
_CAPACITY_MS = CAPACITY * DRAIN_MS
_MOST_MS = _CAPACITY_MS + MAX_WAIT_S * 1000


class RateBucket:
    """One bucket for each portal and each host, and MAX_AT_ONCE places a portal for this process's requests.

    `accounts` count the requests to a portal, those of other processes too; `sleep` is real unless a test
    moves time.
    """

    def __init__(
        self, accounts: Accounts | None = None, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._accounts = accounts or LocalAccounts()
        self._sleep = sleep
        self._waiting: Counter[str] = Counter()
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def admit(self, portal_key: str, *further_keys: str) -> AsyncIterator[None]:
        """Wait for a place among the requests under way at the portal, then until its bucket has room.

        `further_keys` have buckets too, such as that of a host that several portals claim; the fullest bucket
        decides.

        A portal that holds its answers back keeps only its own requests waiting. A request is counted when it
        has got its place. If it were counted earlier, the bucket would drain while requests wait for places,
        and these requests would then leave faster than the portal allows. Callers are served in the order in
        which they came. Raises BitrixError `query_limit_exceeded`, as the portal would, when the wait would
        exceed a minute.
        """
        if self._waiting[portal_key] >= MAX_WAITING:
            raise _too_many()
        places = self._places.get(portal_key)
        if places is None:
            places = self._places[portal_key] = asyncio.Semaphore(MAX_AT_ONCE)
        self._waiting[portal_key] += 1
        try:
            await places.acquire()
        finally:
            self._leave_queue(portal_key)
        try:
            await self._take(portal_key, *further_keys)
            yield
        finally:
            places.release()

    async def fill(self, *keys: str) -> None:
        """Set the buckets to full, because the portal refused: it counts requests that we do not know of."""
        await self._accounts.fill(keys, _CAPACITY_MS)

    async def _take(self, *keys: str) -> None:
        backlog_ms = await self._accounts.take(keys, DRAIN_MS, _MOST_MS)
        if backlog_ms is None:
            raise _too_many()
        if backlog_ms > _CAPACITY_MS:
            await self._sleep((backlog_ms - _CAPACITY_MS) / 1000)

    def _leave_queue(self, portal_key: str) -> None:
        self._waiting[portal_key] -= 1
        if not self._waiting[portal_key]:
            del self._waiting[portal_key]


def _too_many() -> BitrixError:
    return BitrixError("query_limit_exceeded", 503, "too many requests wait for this portal")
