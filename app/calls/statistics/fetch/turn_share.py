"""The share of one turn at a portal's statistics: after it other portals have their turns, and the next turn
of this portal goes on.

A portal can answer for ever: with new ids again and again, one row at a time, or a minute late. So time and
the number of rows end a turn, and no answer can prolong it.
"""

from collections.abc import Callable

from app.kit.clock import Clock

SLICE_S = 60
LONGEST_TURN_S = SLICE_S + 75  # 75 s for the last request: a portal that holds it back longer is cut off.
# The most rows that are read in a minute, and so in a turn. SQLite can store so many while it stores events,
# and a history of a million rows is whole within twenty minutes. A portal that invents calls cannot cause
# more writing than this.
ROWS_A_MINUTE = 60_000


class Share:
    """One turn's share, which begins when it is made. With `is_bounded=False` only the end of this process
    ends it: a command of the vendor waits until all is read.
    """

    def __init__(self, clock: Clock, is_stopping: Callable[[], bool], *, is_bounded: bool = True) -> None:
        self._clock = clock
        self._is_stopping = is_stopping
        self._is_bounded = is_bounded
        self._ends_at = clock.now() + SLICE_S

    def is_over(self, rows: int) -> bool:
        """Whether the turn ends now that it has read this many rows."""
        is_spent = rows >= ROWS_A_MINUTE or self._clock.now() >= self._ends_at
        return self._is_stopping() or (self._is_bounded and is_spent)

    def rest_s(self, rows: int) -> int:
        """Seconds until the portal's next turn, once the rows of its minute are used up; 0 before."""
        is_spent = self._is_bounded and rows >= ROWS_A_MINUTE
        return min(SLICE_S, max(0, self._ends_at - self._clock.now())) if is_spent else 0
