"""A minute's attempts, shared by strangers and honest people so that nobody takes them all."""

from collections import Counter
from dataclasses import dataclass

from app.kit.clock import Clock
from app.kit.errors import TooManyRequests

MINUTE_S = 60
Counted = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a member of a group in a minute."""

    minute: int
    group: str
    member: str

    @property
    def counts_for(self) -> tuple[Counted, ...]:
        """Everybody, the group, the member."""
        return (), (self.group,), (self.group, self.member)


class Shares:
    """So many attempts a minute in all and for each group; half of them are for whoever made none yet.

    So neither does one group take them all from the others, nor one member from the rest of its group: to
    leave somebody without any takes as many others as attempts are kept, one each.
    """

    def __init__(self, clock: Clock, in_all: int, per_group: int) -> None:
        self._clock = clock
        self._in_all = in_all
        self._per_group = per_group
        self._minute = 0
        self._made: Counter[Counted] = Counter()  # Bounded by the attempts: only who made one is counted.

    def take(self, group: str, member: str) -> Attempt:
        """Count an attempt; raises TooManyRequests when this member has none left in this minute."""
        minute, second = divmod(self._clock.now(), MINUTE_S)
        if minute != self._minute:
            self._minute = minute
            self._made.clear()
        attempt = Attempt(minute, group, member)
        everybody, the_group, the_member = attempt.counts_for
        is_free = self._has_room(everybody, the_group, self._in_all)
        if not is_free or not self._has_room(the_group, the_member, self._per_group):
            raise TooManyRequests(retry_after_s=MINUTE_S - second)
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

    def _has_room(self, whole: Counted, part: Counted, most: int) -> bool:
        return self._made[whole] < (most // 2 if self._made[part] else most)
