"""Days of many portals in a few seconds, to count their refreshes."""

import random
from collections.abc import Sequence

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.bucket import Bucket
from app.demo.stand_in import StandIn
from tests.month.turns import Turns
from tests.running import Callbook, FakeClock

DAY_S = 86_400
STEP_S = 900
VISIT_EVERY_STEPS = 3  # More often than a token expires, which is after an hour.
CALLS_A_DAY = (0, 2, 8, 30)  # Of the first portal, the second and so on, in a cycle.
MOST_TURNS = 12
LOST = 0.1


class Week:
    """Installed portals beside Callbook; the administrators of the first `visited` ones look in all day."""

    def __init__(self, callbook: Callbook, stand_in: StandIn, clock: FakeClock, visited: int) -> None:
        self._callbook = callbook
        self._portals = stand_in.portals
        self._visited = stand_in.portals[:visited]
        self._clock = clock
        self._turns = Turns(clock)
        self._chance = random.Random(len(self._portals))
        self.failures: list[str] = []

    async def install(self) -> None:
        """Install all portals, one after the other."""
        for portal in self._portals:
            portal.bucket = Bucket(self._clock.now)
            portal.add_app()
            await portal.install(self._callbook.url)
            await self._callbook.settle()

    async def live_a_day(self) -> list[int]:
        """Live through a day; return the number of refreshes of each portal."""
        before = _count_refreshes(self._portals)
        for step in range(DAY_S // STEP_S):
            self._clock.at = (self._clock.at // STEP_S + 1) * STEP_S
            for index, portal in enumerate(self._portals):
                if self._chance.random() < CALLS_A_DAY[index % len(CALLS_A_DAY)] * STEP_S / DAY_S:
                    await portal.end_call(lose=self._chance.random() < LOST)
            if step % VISIT_EVERY_STEPS == 0:
                for portal in self._visited:
                    await portal.open_page()
            await self._take_turns()
        return [after - was for after, was in zip(_count_refreshes(self._portals), before, strict=True)]

    async def _take_turns(self) -> None:
        """Take turns of ten seconds each until nothing is due."""
        for _ in range(MOST_TURNS):
            before = sum(portal.counts["batch"] for portal in self._portals)
            self.failures += await self._turns.take(self._callbook.parts)
            if sum(portal.counts["batch"] for portal in self._portals) == before:
                return
            self._clock.advance(10)


def _count_refreshes(portals: Sequence[StandInPortal]) -> list[int]:
    return [portal.counts["oauth.refresh"] for portal in portals]
