"""Leases as one process sees them: which holder acts alone, and whether that holder still lives.

A lease names its end by the holder's wall clock. After that clock is set back, the end may be hours away. So
a process takes a lease that it has seen unchanged for the lease's whole duration, by a clock that cannot
step. A living holder renews its lease far more often, and each renewal changes it.
"""

import time
from collections.abc import Callable

from app.kit.clock import Clock
from app.portals.fact_queries import Lease, give_lease_back, read_lease, take_lease


class Leases:
    """The leases of the database; `monotonic` (seconds) is the real clock unless a test moves time."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._seen: dict[str, tuple[Lease, float]] = {}  # Each with the time since which it is unchanged.
        self._given_back: set[tuple[str, str]] = set()  # Name and holder, of schedulers that have ended.

    async def take(self, name: str, holder: str, duration_s: int) -> bool:
        """Take or keep the lease for `duration_s` seconds; False while another holder has it.

        Always False after this holder has given the lease back: work that began before a shutdown must not
        take it again.
        """
        if (name, holder) in self._given_back:
            return False
        abandoned = self._find_unchanged(name, duration_s)
        if not await take_lease(name, holder, self._clock.now(), duration_s, abandoned):
            await self._look(name)
            return False
        self._seen.pop(name, None)
        if (name, holder) in self._given_back:  # It was given back while that statement ran.
            await give_lease_back(name, holder)
            return False
        return True

    async def give_back(self, name: str, holder: str) -> None:
        """End the lease at once and for good, so that another process need not wait until it expires."""
        self._given_back.add((name, holder))
        await give_lease_back(name, holder)

    async def is_abandoned(self, name: str, silent_s: int) -> bool:
        """Whether no holder lives: the lease ended more than `silent_s` ago, or this process has seen it
        unchanged for that long, or no holder ever took it.
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
        """The lease as this process last saw it, if it has seen no change of it for `for_s` seconds; else
        None.
        """
        seen = self._seen.get(name)
        return seen[0] if seen is not None and self._monotonic() - seen[1] >= for_s else None
