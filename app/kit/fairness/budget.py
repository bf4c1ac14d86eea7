"""Budgets for the work that strangers can cause: a number of attempts at once, then a number in each
minute.
"""

from dataclasses import dataclass

from app.kit.clock import Clock
from app.kit.limited_memory import LimitedMemory
from app.kit.messages.errors import TooManyRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The questions about tokens that a process asks the authorization server in a minute, 960 in all.

    Half of them are kept for portals that are installed. One group (a network, or a portal) may cause 120,
    because 120 colleagues may begin their day in the same second. No portal needs more than ten installations
    a minute.
    """

    questions_of_strangers: int = 480
    questions_about_known: int = 240
    questions_of_proven: int = 240
    questions_per_group: int = 120
    installations_per_member: int = 10


class Budget:
    """A bucket of attempts for each key, refilled evenly; the least recently used keys are forgotten.

    A bucket holds `per_minute` attempts, and the same number comes back in each `period_s` (a minute by
    default).
    """

    def __init__(self, clock: Clock, per_minute: int, max_keys: int = 10_000, period_s: int = 60) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._period_s = period_s
        self._buckets = LimitedMemory[str, tuple[float, int]](max_keys)

    def has(self, key: str) -> bool:
        """Whether an attempt is left."""
        return self._level(key) >= 1

    def spend(self, key: str) -> None:
        """Take one attempt; raises TooManyRequests when none is left."""
        if not self.has(key):
            raise TooManyRequests(retry_after_s=max(1, self._period_s // self._per_minute))
        self.charge(key, 1)

    def charge(self, key: str, attempts: int) -> None:
        """Take a number of attempts that were made already; the level may fall below zero."""
        self._buckets[key] = (self._level(key) - attempts, self._clock.now())

    def _level(self, key: str) -> float:
        now = self._clock.now()
        level, at = self._buckets.get(key, (float(self._per_minute), now))
        if at > now:  # The clock was set back: the bucket refills from the new time on.
            self._buckets[key] = (level, at := now)
        refilled = level + (now - at) * self._per_minute / self._period_s
        return min(float(self._per_minute), refilled)


class RecentlySeen:
    """A bounded memory of keys. Each key is forgotten at a time of its own."""

    def __init__(self, clock: Clock, max_keys: int = 10_000) -> None:
        self._clock = clock
        self._until = LimitedMemory[str, int](max_keys)

    def __contains__(self, key: str) -> bool:
        return self._until.get(key, 0) > self._clock.now()

    def remember(self, key: str, duration_s: int) -> None:
        """Remember the key for `duration_s` seconds."""
        self._until[key] = self._clock.now() + duration_s
