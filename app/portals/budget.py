"""Budgets for what strangers can make us do: so many attempts at once, then so many a minute."""

from collections import OrderedDict
from dataclasses import dataclass

from app.kit.clock import Clock
from app.kit.errors import TooManyRequests


@dataclass(frozen=True, slots=True)
class Limits:
    """How many attempts a minute; also how many may come at once."""

    installations_per_source: int = 30
    installations_per_member: int = 10
    installations_overall: int = 120
    rejections_per_source: int = 60
    rejections_per_portal: int = 120


class Budget:
    """A bucket of attempts for each key, refilled evenly; the least recently used keys are forgotten."""

    def __init__(self, clock: Clock, per_minute: int, max_keys: int = 10_000) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def spend(self, key: str) -> None:
        """Take one attempt; raises TooManyRequests when none is left."""
        level = self._level(key)
        if level < 1:
            raise TooManyRequests(retry_after_s=max(1, 60 // self._per_minute))
        self._buckets[key] = (level - 1, self._clock.now())
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)

    def give_back(self, key: str) -> None:
        """Return an attempt that turned out to be honest."""
        self._buckets[key] = (min(float(self._per_minute), self._level(key) + 1), self._clock.now())

    def _level(self, key: str) -> float:
        level, at = self._buckets.get(key, (float(self._per_minute), self._clock.now()))
        refilled = level + max(0, self._clock.now() - at) * self._per_minute / 60
        return min(float(self._per_minute), refilled)


class RecentlySeen:
    """A bounded memory of keys, each until its own time."""

    def __init__(self, clock: Clock, max_keys: int = 10_000) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._until: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return self._until.get(key, 0) > self._clock.now()

    def remember(self, key: str, duration_s: int) -> None:
        """Remember the key for so long."""
        self._until[key] = self._clock.now() + duration_s
        self._until.move_to_end(key)
        if len(self._until) > self._max_keys:
            self._until.popitem(last=False)
