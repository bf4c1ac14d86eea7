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
        return max((_count_day(self.moments, begin) for begin in self.moments), default=0)


def _count_day(moments: Sequence[int], begin: int) -> int:
    return sum(begin <= moment < begin + DAY_S for moment in moments)
