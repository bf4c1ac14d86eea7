"""The attempts of a minute, shared between strangers and honest people so that no sender takes them all."""

from collections import Counter
from dataclasses import dataclass

from app.kit.clock import Clock
from app.kit.messages.errors import TooManyRequests

MINUTE_S = 60
# Once half of the attempts are taken, a member that has made this many or more gets no further one. A few
# colleagues, or the retries with an expired token, need no more.
FEW = 8
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt in a minute. Its path names a group, perhaps a smaller group within that group, and the
    member.
    """

    minute: int
    path: Path

    @property
    def counts_for(self) -> list[Path]:
        """The counters of the attempt: of all, of each group, of the member."""
        return [self.path[:level] for level in range(len(self.path) + 1)]


class FairBudget:
    """Bounds for the attempts of a minute: for all together, for each group, and for each group within a
    group.

    Half of the attempts are for all, a quarter for members with fewer than `FEW` attempts, and a quarter for
    members without any yet. So no group can take all attempts, and no member can take all attempts of its
    group. Each attempt of the last quarter goes to another new member.
    """

    def __init__(self, clock: Clock, *most: int) -> None:
        self._clock = clock
        self._most = most
        self._minute = 0
        # By each beginning of a path; the empty beginning counts all attempts.
        self._made: Counter[Path] = Counter()

    def take(self, *path: str) -> Attempt:
        """Count an attempt of this path (the groups, then the member, each by name); raises TooManyRequests
        if the member has none left in this minute.
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
        """Count an attempt that was made already, even above the bound."""
        self._begin_minute()
        attempt = Attempt(self._minute, path)
        self._made.update(attempt.counts_for)
        return attempt

    def give_back(self, attempt: Attempt) -> None:
        """Take an honest attempt off the counters, unless its minute is over."""
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
    """The bound of a group with `most` attempts for one part of it (a member, or a smaller group) that has
    made `made` attempts. The part gets another attempt while the whole group has made fewer than this number.
    """
    if not made:
        return most
    return most * 3 // 4 if made < FEW else most // 2
