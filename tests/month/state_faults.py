"""Faults of Callbook's own state: tokens that die early, clocks that step, a database that is restored."""

import random
from collections.abc import Collection
from functools import partial
from typing import Any

from tests.month.copies import DatabaseCopy
from tests.month.keeping import Keeper
from tests.month.life import MINUTE_S, Agenda, Deed, PortalLife
from tests.month.truth import DAY_S, HOUR_S

KINDS = ("tokens", "steps", "restored")
EARLY_DEATHS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rest", {"code": "expired_token", "status": 401}),
    ("batch", {"code": "expired_token", "status": 401}),
    ("batch", {"code": "invalid_token", "status": 401}),
)
STEPS_S = (-20 * MINUTE_S, HOUR_S)
MOST_AHEAD_S = max(STEPS_S)


class StateFaults:
    """Plans these faults; `restored_at` are the moments, by true time, at which the database lost
    purchases.
    """

    def __init__(
        self, life: PortalLife, keeper: Keeper, agenda: Agenda, copy: DatabaseCopy, seed: int, visit: Deed
    ) -> None:
        self.restored_at: list[int] = []
        self._life, self._keeper, self._agenda, self._copy, self._visit = life, keeper, agenda, copy, visit
        self._chance = random.Random(f"unsteady {seed}")

    def plan(self, kinds: Collection[str], begin: int, days: int) -> None:
        """Plan the faults of these kinds; none on the last day."""
        end = days - 1
        if "tokens" in kinds:
            for operation, fault in EARLY_DEATHS:
                self._plan(begin, end, partial(self.let_tokens_die, operation, fault))
        if "steps" in kinds:
            for ahead_s in STEPS_S:
                self._plan(begin, end, partial(self.step, ahead_s))
        if "restored" in kinds:
            self._plan(begin, end - 1, self.keep_copy)

    def _plan(self, begin: int, days: int, deed: Deed) -> None:
        self._agenda.plan(begin + self._chance.randrange(DAY_S // 2, days * DAY_S), deed)

    async def let_tokens_die(self, operation: str, fault: dict[str, Any]) -> None:
        """Refuse every access token at its first use, for about a day."""
        rule = self._life.portal.stand_in.fail(operation, portal=self._life.portal, **fault)
        self._life.counts["tokens dead"] += 1

        async def heal() -> None:
            rule.cancel()

        self._after(self._chance.randrange(12 * HOUR_S, 36 * HOUR_S), heal)

    async def step(self, ahead_s: int) -> None:
        """Set the wall clock wrong for some hours, then right again."""
        self._agenda.clock.step(ahead_s)
        self._life.counts["steps"] += 1
        if ahead_s:
            self._after(self._chance.randrange(2 * HOUR_S, 10 * HOUR_S), partial(self.step, 0))

    async def keep_copy(self) -> None:
        """Copy the database while the process is down for it; hours later the copy replaces the database."""
        await self._keeper.kill()
        await self._copy.make()
        self._after(MINUTE_S, self._keeper.start)
        self._after(self._chance.randrange(3 * HOUR_S, 20 * HOUR_S), self.restore)

    async def restore(self) -> None:
        """End the process, put the copy in the database's place, and let an administrator look in afterwards:
        the pair in the copy may be spent.
        """
        await self._keeper.kill()
        await self._copy.put_back()
        self.restored_at.append(self._agenda.clock.now())
        self._life.counts["restored"] += 1
        down_s = self._chance.choice((5 * MINUTE_S, 2 * HOUR_S))
        self._after(down_s, self._keeper.start)
        self._after(down_s + HOUR_S, self._visit)

    def _after(self, seconds: int, deed: Deed) -> None:
        self._agenda.plan(self._agenda.clock.now() + seconds, deed)
