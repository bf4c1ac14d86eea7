"""Places in a resource that all portals share: a bound on how many are taken overall, by a portal, by a user.

A portal can invent users, and so all users of a portal share its bound. Once half of all places are taken,
only a portal that holds none gets one. So a few portals together hold at most half of the places, and one
more for each of them.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from prometheus_client import Gauge

from app.kit.messages.errors import Refusal, TooManyRequests, Unavailable

Level = Literal["user", "portal", "overall"]
KINDS: dict[Level, type[TooManyRequests | Unavailable]] = {
    "user": TooManyRequests,
    "portal": TooManyRequests,
    "overall": Unavailable,
}


class Bounds(NamedTuple):
    """How many places there are, and how many of them one portal and one user may hold."""

    overall: int
    per_portal: int
    per_user: int


class Sentences(NamedTuple):
    """The texts of a refusal: `code` for programs, and a sentence for people for each bound."""

    code: str | None = None
    user: str = TooManyRequests.message
    portal: str = TooManyRequests.message
    overall: str = Unavailable.message
    retry_after_s: int = 5


class NoPlace(Refusal):
    """All places of the user or of the portal are taken (429), or all places that there are (503)."""

    def __init__(self, level: Level, sentences: Sentences) -> None:
        kind = KINDS[level]
        super().__init__(getattr(sentences, level), code=sentences.code or kind.code)
        self.level = level
        self.status = kind.status
        self.retry_after_s = sentences.retry_after_s


class Places:
    """The places that are taken. Any value may name a portal, and any value a user within it."""

    def __init__(
        self, bounds: Bounds, sentences: Sentences | None = None, gauge: Gauge | None = None
    ) -> None:
        self.bounds = bounds
        self._sentences = sentences or Sentences()
        self._gauge = gauge
        self._held: Counter[tuple[Hashable, ...]] = Counter()

    @property
    def count(self) -> int:
        """How many places are taken."""
        return self._held[()]

    def find_full(self, portal: Hashable, user: Hashable) -> Level | None:
        """The bound that keeps this user from one more place; None when the user may have it."""
        overall, of_portal, of_user = (self._held[key] for key in _keys(portal, user))
        if of_user >= self.bounds.per_user:
            return "user"
        if of_portal >= self.bounds.per_portal:
            return "portal"
        bound = self.bounds.overall // 2 if of_portal else self.bounds.overall
        return "overall" if overall >= bound else None

    def enter(self, portal: Hashable, user: Hashable) -> None:
        """Take a place, which `leave` gives back; raises NoPlace."""
        if (level := self.find_full(portal, user)) is not None:
            raise NoPlace(level, self._sentences)
        self._held.update(_keys(portal, user))
        if self._gauge is not None:
            self._gauge.inc()

    def leave(self, portal: Hashable, user: Hashable) -> None:
        """Give one place back."""
        for key in _keys(portal, user):
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]  # So users without a place, invented ones too, take no memory.
        if self._gauge is not None:
            self._gauge.dec()

    def count_of(self, portal: Hashable) -> int:
        """How many places a portal holds."""
        return self._held[(portal,)]

    @contextmanager
    def take(self, portal: Hashable, user: Hashable) -> Iterator[None]:
        """Hold a place while inside; raises NoPlace."""
        self.enter(portal, user)
        try:
            yield
        finally:
            self.leave(portal, user)


def _keys(portal: Hashable, user: Hashable) -> tuple[tuple[Hashable, ...], ...]:
    return (), (portal,), (portal, user)
