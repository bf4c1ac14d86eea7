"""Leases as one process sees them: who acts alone, and whether the holder still lives.

A lease names its end by the holder's wall clock. Once that clock was set back, the end may be hours away. So
whoever has seen a lease unchanged for as long as it is given for, by a clock that cannot step, takes it:
a holder that lives renews it far more often, which changes it.
"""

import time
from collections.abc import Callable

from app.kit.clock import Clock
from app.portals.fact_queries import Lease, give_lease_back, read_lease, take_lease


class Leases:
    """Those of the database; `monotonic` (seconds) is real unless a test moves time."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._seen: dict[str, tuple[Lease, float]] = {}  # And since when it has been the same.
        self._given_back: set[tuple[str, str]] = set()  # Name and holder: one a scheduler that has ended.

    async def take(self, name: str, holder: str, duration_s: int) -> bool:
        """Take or keep the lease for so many seconds; False while somebody else holds it, and for good once
        this holder has given it back: what was begun before a shutdown must not take it again.
        """
        if (name, holder) in self._given_back:
            return False
        abandoned = self._find_unchanged(name, duration_s)
        if not await take_lease(name, holder, self._clock.now(), duration_s, abandoned):
            await self._look(name)
            return False
        self._seen.pop(name, None)
        if (name, holder) in self._given_back:  # While it was being taken.
            await give_lease_back(name, holder)
            return False
        return True

    async def give_back(self, name: str, holder: str) -> None:
        """End the lease at once, so that another process need not wait for it to lapse."""
        self._given_back.add((name, holder))
        await give_lease_back(name, holder)

    async def is_abandoned(self, name: str, silent_s: int) -> bool:
        """Whether the lease ended more than so many seconds ago, or this process has seen it stand still for
        as long; or nobody ever took it.
        """
        lease = await self._look(name)
        if lease is None or lease.expires_at < self._clock.now() - silent_s:
            return True
        return self._find_unchanged(name, silent_s) is not None

    async def _look(self, name: str) -> Lease | None:
        lease = await read_lease(name)
        seen = self._seen.get(name)
        if lease is not None and (seen is None or seen[0] != lease):
            self._seen[name] = lease, self._monotonic()
        return lease

    def _find_unchanged(self, name: str, for_s: int) -> Lease | None:
        """The lease if it was last seen as it had been for so long."""
        seen = self._seen.get(name)
        return seen[0] if seen is not None and self._monotonic() - seen[1] >= for_s else None
