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

    def has(self, key: str) -> bool:
        """Whether an attempt is left."""
        return self._level(key) >= 1

    def spend(self, key: str) -> None:
        """Take one attempt; raises TooManyRequests when none is left."""
        if not self.has(key):
            raise TooManyRequests(retry_after_s=max(1, 60 // self._per_minute))
        self._change(key, -1)

    def give_back(self, key: str) -> None:
        """Return an attempt that turned out to be honest."""
        self._change(key, 1)

    def _change(self, key: str, attempts: int) -> None:
        level = min(float(self._per_minute), self._level(key) + attempts)
        self._buckets[key] = (level, self._clock.now())
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)

    def _level(self, key: str) -> float:
        now = self._clock.now()
        level, at = self._buckets.get(key, (float(self._per_minute), now))
        if at > now:  # The clock was set back: it refills from now on, not from then.
            self._buckets[key] = (level, at := now)
        refilled = level + (now - at) * self._per_minute / 60
        return min(float(self._per_minute), refilled)


@dataclass(frozen=True, slots=True)
class Purse:
    """What one key has of a budget."""

    budget: Budget
    key: str

    def has_some(self) -> bool:
        """Whether an attempt is left."""
        return self.budget.has(self.key)

    def spend(self) -> None:
        """Take one attempt; raises TooManyRequests when none is left."""
        self.budget.spend(self.key)

    def give_back(self) -> None:
        """Return an attempt that turned out to be honest."""
        self.budget.give_back(self.key)


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
