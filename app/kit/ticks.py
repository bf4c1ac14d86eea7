"""Which jobs are due by the monotonic clock, and whether the wall clock has been set. Pure.

People and time servers set the wall clock, also backwards. A job that waits for a time of that clock is then
late by the same span. Monotonic seconds never jump.
"""

import random
from collections.abc import Callable, Mapping

STEP_S = 60  # A smaller step delays a job by a minute at most, which nobody notices.
JITTER = 5  # At most a fifth of the interval: processes that began together drift apart.
Jitter = Callable[[float], float]


def draw_jitter(most_s: float) -> float:
    """A random number of seconds from 0 to `most_s`."""
    return random.uniform(0, most_s)  # noqa: S311  Spreads turns; nothing secret.


class Intervals:
    """Turns by name, each at an interval in seconds; the first comes one interval after `now`.

    A late turn makes the turns after it later, and a missed turn is not repeated.
    """

    def __init__(
        self, intervals_s: Mapping[str, float], now: float, draw_jitter: Jitter = draw_jitter
    ) -> None:
        self._intervals_s = intervals_s
        self._draw_jitter = draw_jitter
        self._next_at = {name: self._plan(name, now) for name in intervals_s}

    def take_due(self, now: float) -> list[str]:
        """The names whose turn has come at this monotonic second, in the order in which they were given."""
        due = [name for name, next_at in self._next_at.items() if next_at <= now]
        self._next_at.update({name: self._plan(name, now) for name in due})
        return due

    def _plan(self, name: str, now: float) -> float:
        interval_s = self._intervals_s[name]
        return now + interval_s + self._draw_jitter(interval_s / JITTER)


class Steps:
    """Notices that the wall clock was set, by its distance from the monotonic clock.

    Small steps add up until their sum is noticed.
    """

    def __init__(self, wall: float, monotonic: float) -> None:
        self._distance_s = wall - monotonic

    def take_step(self, wall: float, monotonic: float) -> float:
        """The seconds by which the wall clock was set since this method last returned a step; 0 while they
        are at most STEP_S, forward or back.
        """
        step_s = wall - monotonic - self._distance_s
        if abs(step_s) <= STEP_S:
            return 0
        self._distance_s += step_s
        return step_s
