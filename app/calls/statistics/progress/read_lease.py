"""One process at a time reads a portal's statistics: a lease in the mark says so to all others.

The moment at which a lease ends (`claimed_until`) also names it. Another process can take it over only once
it has run out, or when the history is reopened, so the next lease has a later moment. A process that has lost
its lease changes nothing that depends on it. The highest read id may still be noted, because it stays true
without the lease.
"""

from app.calls.statistics.progress.mark_queries import change_leased
from app.calls.statistics.progress.marks import Mark

LEASE_S = 300  # Longer than a batch with every repetition; each batch renews the lease.


class LeaseLostError(Exception):
    """The lease ran out, or the history was reopened: the next read goes on from the mark."""

    def __init__(self) -> None:
        super().__init__("another process reads these statistics by now")


class ReadLease:
    """The lease of one forward read, by the mark as it was when the process took the lease."""

    def __init__(self, mark: Mark) -> None:
        self._portal_id = mark.portal_id
        self._generation = mark.generation
        self.until = mark.claimed_until

    async def renew(self, now: int, changes: dict[str, object]) -> None:
        """Hold the lease for LEASE_S more, and note how far the read has come; raises LeaseLostError."""
        until = now + LEASE_S
        if not await self._change({"claimed_until": until} | changes):
            raise LeaseLostError
        self.until = until

    async def give_back(self, changes: dict[str, object]) -> None:
        """End the lease and note how the read ended, unless another process has taken the lease over."""
        await self._change({"claimed_until": 0} | changes)

    async def _change(self, changes: dict[str, object]) -> bool:
        held = await change_leased(self._portal_id, self._generation, self.until, changes)
        return held is not None
