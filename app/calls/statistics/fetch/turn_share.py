"""The share of one turn at a portal's statistics: after it, others have theirs, and the next one goes on.

A portal can answer for ever: with ever new ids, a row at a time, or a minute late. So no turn ends by what it
answers, but by time and by the rows that it brought.
"""

from collections.abc import Callable

from app.kit.clock import Clock

SLICE_S = 60
LONGEST_TURN_S = (
    SLICE_S + 75
)  # And as long as the last request may take: a portal that holds it back is cut off.
# Of a minute, and so of a turn: as many as SQLite stores beside events, and a history of a million is whole
# within twenty minutes. Whoever invents calls has no more than that written.
ROWS_A_MINUTE = 60_000


class Share:
    """Begun when it is made. Without bounds it is for the vendor's command, which waits for the end."""

    def __init__(self, clock: Clock, is_stopping: Callable[[], bool], *, is_bounded: bool = True) -> None:
        self._clock = clock
        self._is_stopping = is_stopping
        self._is_bounded = is_bounded
        self._ends_at = clock.now() + SLICE_S

    def is_over(self, rows: int) -> bool:
        """Whether the turn ends after the request that brought the last of so many rows."""
        is_spent = rows >= ROWS_A_MINUTE or self._clock.now() >= self._ends_at
        return self._is_stopping() or (self._is_bounded and is_spent)

    def rest_s(self, rows: int) -> int:
        """Seconds until the portal's next turn, once it has had the rows of its minute; else 0."""
        is_spent = self._is_bounded and rows >= ROWS_A_MINUTE
        return min(SLICE_S, max(0, self._ends_at - self._clock.now())) if is_spent else 0
