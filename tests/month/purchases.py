"""How many pairs of tokens a portal was asked for, in any day."""

from collections.abc import Sequence

from tests.month.truth import DAY_S

MOST_A_DAY = 4


class Purchases:
    """The moments of the refreshes, by Callbook's own clock: it knows no other."""

    def __init__(self) -> None:
        self.moments: list[int] = []

    def note(self, count: int, now: int) -> None:
        """So many there have been by now."""
        self.moments += [now] * (count - len(self.moments))

    def most_a_day(self) -> int:
        """The most refreshes within 24 hours."""
        return max((self._count_day(begin) for begin in self.moments), default=0)

    def list_too_many(self, restored_at: Sequence[int]) -> list[str]:
        """The days with more than four refreshes, in words.

        A restored database forgets what was bought since it was copied: then one more finds its pair spent.
        """
        return [
            f"{count} refreshes in the day from {begin} on"
            for begin in self.moments
            if (count := self._count_day(begin))
            > MOST_A_DAY + sum(begin <= at < begin + DAY_S for at in restored_at)
        ]

    def _count_day(self, begin: int) -> int:
        return sum(begin <= moment < begin + DAY_S for moment in self.moments)
