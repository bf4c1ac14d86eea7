"""One reader at a time works on a portal's statistics, in all processes: by a claim in the mark.

The moment until which a mark is claimed also names the claim: it can be taken over only once it has run out,
or when the history is reopened, so whoever takes it over gets a later moment. A reader whose claim is
another's by now, or nobody's, changes nothing that depends on it; how high the ids are read stays true.
"""

from app.calls.statistics.progress.mark_queries import change_claimed
from app.calls.statistics.progress.marks import Mark
from app.portals.outbound.access import PortalUnreachableError

CLAIM_S = 300  # Longer than a batch with every repetition, for each of which it is renewed.


class ClaimLostError(PortalUnreachableError):
    """The claim ran out, or what is to be read has changed: whoever comes next reads on from the mark."""

    def __init__(self) -> None:
        super().__init__("another reader is at these statistics by now", code="claim_lost")


class Claim:
    """The claim of one reader that goes forward; the mark is as it was when it was taken."""

    def __init__(self, mark: Mark) -> None:
        self._portal_id = mark.portal_id
        self._generation = mark.generation
        self.until = mark.claimed_until

    async def renew(self, now: int, changes: dict[str, object]) -> None:
        """Hold it for as long again, and note how far the read has come; raises ClaimLostError."""
        until = now + CLAIM_S
        if not await self._change({"claimed_until": until} | changes):
            raise ClaimLostError
        self.until = until

    async def give_back(self, changes: dict[str, object]) -> None:
        """Note how the read ended, if nobody has taken the claim over meanwhile."""
        await self._change({"claimed_until": 0} | changes)

    async def _change(self, changes: dict[str, object]) -> bool:
        held = await change_claimed(self._portal_id, self._generation, self.until, changes)
        return held is not None
