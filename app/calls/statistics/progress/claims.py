"""One process at a time reads a portal's statistics: a claim in the mark says so to all others.

The moment until which a mark is claimed also names the claim. Another process can take the claim over only
once it has run out, or when the history is reopened, so the next claim has a later moment. A process that has
lost its claim changes nothing that depends on it. How high the ids are read stays true all the same.
"""

from app.calls.statistics.progress.mark_queries import change_claimed
from app.calls.statistics.progress.marks import Mark
from app.portals.outbound.access import PortalUnreachableError

CLAIM_S = 300  # Longer than a batch with every repetition; each batch renews the claim.


class ClaimLostError(PortalUnreachableError):
    """The claim ran out, or the history was reopened: the next read goes on from the mark."""

    def __init__(self) -> None:
        super().__init__("another reader is at these statistics by now", code="claim_lost")


class Claim:
    """The claim of one forward read, by the mark as it was when the process took the claim."""

    def __init__(self, mark: Mark) -> None:
        self._portal_id = mark.portal_id
        self._generation = mark.generation
        self.until = mark.claimed_until

    async def renew(self, now: int, changes: dict[str, object]) -> None:
        """Hold the claim for CLAIM_S more, and note how far the read has come; raises ClaimLostError."""
        until = now + CLAIM_S
        if not await self._change({"claimed_until": until} | changes):
            raise ClaimLostError
        self.until = until

    async def give_back(self, changes: dict[str, object]) -> None:
        """End the claim and note how the read ended, unless another process has taken the claim over."""
        await self._change({"claimed_until": 0} | changes)

    async def _change(self, changes: dict[str, object]) -> bool:
        held = await change_claimed(self._portal_id, self._generation, self.until, changes)
        return held is not None
