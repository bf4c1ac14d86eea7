"""The number of pairs of tokens that Callbook bought of a portal in any day."""

from collections.abc import Sequence

from tests.month.truth import DAY_S

MOST_A_DAY = 4


class Purchases:
    """The moments of the refreshes by Callbook's own clock, the only one that it knows."""

    def __init__(self) -> None:
        self.moments: list[int] = []

    def note(self, count: int, now: int) -> None:
        """Note that there have been so many refreshes by now."""
        self.moments += [now] * (count - len(self.moments))

    def most_a_day(self) -> int:
        """The greatest number of refreshes within 24 hours."""
        return max((self._count_day(begin) for begin in self.moments), default=0)

    def list_too_many(self, restored_at: Sequence[int]) -> list[str]:
        """The days with more than four refreshes, in words.

        A restored database has lost the purchases since its copy: then one more refresh finds the pair spent.
        """
        return [
            f"{count} refreshes in the day from {begin} on"
            for begin in self.moments
            if (count := self._count_day(begin))
            > MOST_A_DAY + sum(begin <= at < begin + DAY_S for at in restored_at)
        ]

    def _count_day(self, begin: int) -> int:
        return sum(begin <= moment < begin + DAY_S for moment in self.moments)
