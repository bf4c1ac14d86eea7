"""The portal's leaky bucket, kept on our side too, so that it never has to refuse us.

Documentation: limits.md (drains 2 a second, blocks above 50; one bucket for a portal and a source address).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest.accounts import Accounts, LocalAccounts

DRAIN_MS = 500  # A portal forgets one request in so many.
CAPACITY = 45  # Of 50: requests arrive later than they leave, and not all as late as each other.
MAX_WAIT_S = 60
MAX_WAITING = 120  # As many as the portal takes in that time.
MAX_AT_ONCE = 8  # Of the connections that all portals share (see network.py).
_CAPACITY_MS = CAPACITY * DRAIN_MS
_MOST_MS = _CAPACITY_MS + MAX_WAIT_S * 1000


class RateBucket:
    """One bucket for each portal and each host, and so many places for this process's requests under way.

    `accounts` say how much a portal was sent, by others too; `sleep` is real unless a test moves time.
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
        """Wait for a place among the requests under way at the portal, then until it admits one more.

        `further_keys` have buckets too, as the host has that may be claimed by several portals, and the
        fullest one decides.

        A portal that holds its answers back keeps its own requests waiting, not those of other portals. It is
        counted when it leaves, not when it begins to wait, or those that waited would arrive all at once.
        Callers are served in the order they came. Raises BitrixError `query_limit_exceeded`, as the portal
        would, when the wait would exceed a minute.
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
        """Take note that the portal refused: others share its bucket, which is fuller than we knew."""
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
