"""A minute's attempts, shared by strangers and honest people so that nobody takes them all."""

from collections import Counter
from dataclasses import dataclass

from app.kit.clock import Clock
from app.kit.messages.errors import TooManyRequests

MINUTE_S = 60
FEW = 8  # As many colleagues, or one with an expired token, come at once where others have taken half.
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a member of a group, perhaps of a group in it, in a minute."""

    minute: int
    path: Path

    @property
    def counts_for(self) -> list[Path]:
        """Everybody, the group, those in it, the member."""
        return [self.path[:level] for level in range(len(self.path) + 1)]


class Shares:
    """So many attempts a minute in all, for each group, and for each group in one.

    Half of them are for anybody, a quarter for whoever made fewer than `FEW` and a quarter for whoever made
    none yet. So neither does one group take them all from the others, nor one member from the rest of its
    group: to leave somebody without any takes as many others as a quarter has attempts, one each.
    """

    def __init__(self, clock: Clock, *most: int) -> None:
        self._clock = clock
        self._most = most
        self._minute = 0
        self._made: Counter[Path] = Counter()  # Bounded by the attempts: only who made one is counted.

    def take(self, *path: str) -> Attempt:
        """Count an attempt of the group, those in it, and the member, each by name; raises TooManyRequests
        when this member has none left in this minute.
        """
        if not self.has_room(*path):
            raise TooManyRequests(retry_after_s=MINUTE_S - self._clock.now() % MINUTE_S)
        return self.charge(*path)

    def has_room(self, *path: str) -> bool:
        """Whether this member has an attempt left in this minute."""
        self._begin_minute()
        return all(
            self._made[path[:level]] < _find_bound(most, self._made[path[: level + 1]])
            for level, most in enumerate(self._most)
        )

    def charge(self, *path: str) -> Attempt:
        """Count an attempt that was made already, whether or not it was left."""
        self._begin_minute()
        attempt = Attempt(self._minute, path)
        self._made.update(attempt.counts_for)
        return attempt

    def give_back(self, attempt: Attempt) -> None:
        """Count an attempt that was honest no longer, unless its minute is over anyway."""
        if attempt.minute != self._minute:
            return
        for counted in attempt.counts_for:
            self._made[counted] -= 1
            if not self._made[counted]:
                del self._made[counted]

    def _begin_minute(self) -> None:
        minute = self._clock.now() // MINUTE_S
        if minute != self._minute:
            self._minute = minute
            self._made.clear()


def _find_bound(most: int, made: int) -> int:
    """Up to which number in all the one who made so many may make one more."""
    if not made:
        return most
    return most * 3 // 4 if made < FEW else most // 2
