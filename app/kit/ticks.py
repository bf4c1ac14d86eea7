"""Which jobs are due by a clock that cannot step, and whether the one that can has stepped. Pure.

The wall clock is set by people and by time servers, also backwards: whatever waits for one of its times then
waits for as long as the step was. Monotonic seconds only go on.
"""

import random
from collections.abc import Callable, Mapping

STEP_S = 60  # A smaller one delays what waits for a time by a minute at most, which nobody notices.
JITTER = 5  # A fifth of the interval at most: processes that began together drift apart.
Jitter = Callable[[float], float]


def draw_jitter(most_s: float) -> float:
    """Any number of seconds up to this."""
    return random.uniform(0, most_s)  # noqa: S311  Spreads turns; nothing secret.


class Intervals:
    """Turns by name, each at an interval in seconds; the first comes one interval after `now`.

    A turn that comes late moves those behind it: none is made up for.
    """

    def __init__(
        self, intervals_s: Mapping[str, float], now: float, draw_jitter: Jitter = draw_jitter
    ) -> None:
        self._intervals_s = intervals_s
        self._draw_jitter = draw_jitter
        self._next_at = {name: self._plan(name, now) for name in intervals_s}

    def take_due(self, now: float) -> list[str]:
        """The names whose turn has come at this monotonic second, those first that come first."""
        due = [name for name, next_at in self._next_at.items() if next_at <= now]
        self._next_at.update({name: self._plan(name, now) for name in due})
        return due

    def _plan(self, name: str, now: float) -> float:
        interval_s = self._intervals_s[name]
        return now + interval_s + self._draw_jitter(interval_s / JITTER)


class Steps:
    """Notices when the wall clock has been set, by its distance from the monotonic one.

    Small steps add up until they are noticed together.
    """

    def __init__(self, wall: float, monotonic: float) -> None:
        self._distance_s = wall - monotonic

    def take_step(self, wall: float, monotonic: float) -> float:
        """By how many seconds the wall clock was set since the last step that was told, if by more than
        STEP_S either way; else 0.
        """
        step_s = wall - monotonic - self._distance_s
        if abs(step_s) <= STEP_S:
            return 0
        self._distance_s += step_s
        return step_s
