"""The deeds of a month in a portal and Callbook: calls, late facts, visits, trouble. Seeded."""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import httpx

from app.demo.acts.events import Post
from app.demo.acts.invented_calls import Caller
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.statistics import StatisticsRow
from tests.month.clock import SharedClock
from tests.month.truth import DAY_S, HOUR_S, Truth

MINUTE_S = 60
LOST, DOUBLED, LATE = 0.10, 0.05, 0.20
SHOWN_LATE = 0.15
Deed = Callable[[], Awaitable[None]]


class Agenda:
    """The planned deeds and their times; the time stands still during a deed."""

    def __init__(self, clock: SharedClock, watch: Callable[[], None] = lambda: None) -> None:
        """`watch` is called after each deed."""
        self.clock = clock
        self._watch = watch
        self._order = itertools.count()
        self._deeds: list[tuple[int, int, Deed]] = []

    def plan(self, at: int, deed: Deed) -> None:
        """Plan a deed for this time, or for the end of the deeds before it."""
        heapq.heappush(self._deeds, (at, next(self._order), deed))

    async def live(self, until: int) -> None:
        """Do all deeds up to `until`, one after the other, each at a second of its own."""
        while self._deeds and self._deeds[0][0] <= until:
            at, _, deed = heapq.heappop(self._deeds)
            self.clock.set(max(at, self.clock.now() + 1))
            await deed()
            self._watch()


class PortalLife:
    """The calls of a portal, their events, and the facts that become known later.

    `truth` knows from when on the statistics show each row; the counts tell the fate of the events.
    """

    def __init__(self, portal: StandInPortal, agenda: Agenda, seed: int) -> None:
        self.portal = portal
        self.quiet_from = 0
        self.holiday = range(0)  # No calls happen at these moments.
        self.hidden_until = 0  # Until then the owner of the token sees only their own rows.
        self.truth = Truth(portal.state.statistics)
        self.counts: Counter[str] = Counter()
        self.caller = Caller(portal.state, seed)
        self._clock = agenda.clock
        self._agenda = agenda
        self._chance = random.Random(seed)

    def plan_calls(self, begin: int, days: int, calls_a_day: int) -> None:
        """Plan calls, many in business hours and few at night; nothing happens after the last day."""
        self.quiet_from = begin + days * DAY_S
        for day in range(days):
            for _ in range(calls_a_day):
                self._agenda.plan(begin + day * DAY_S + self._pick_time_of_day(), self.end_call)

        for index, user in enumerate([*self.portal.users.values(), None]):
            # So that nothing happens any more to the last row of any user.
            last = partial(self.end_call, {"user_id": user and user.id})
            self._agenda.plan(self.quiet_from - HOUR_S + index, last)

    async def end_call(self, fields: Mapping[str, Any] | None = None) -> None:
        """End a call, unless it is holiday: write its rows, send its events, and plan facts for later.

        `fields` replace those of `EndingCall`.
        """
        now, chance = self._clock.now(), self._chance
        if now in self.holiday:
            return
        call = replace(self.caller.next_call(), **(fields or {}))
        is_late = chance.random() < SHOWN_LATE
        late_s = chance.choice((30, 90, 600, 3 * HOUR_S)) + chance.randrange(60) if is_late else 0
        before = len(self.portal.delayed)
        ended = await self.portal.end_call(call, delay=True, visible_after_s=late_s)
        posts = [self.portal.delayed.pop() for _ in range(len(self.portal.delayed) - before)][::-1]
        self.note_rows(ended.rows, late_s)
        self.counts["calls"] += 1
        for post in posts:
            await self._decide_fate(post)
        for row in ended.rows:
            self._plan_facts(row, now + late_s)

    def note_rows(self, rows: Sequence[StatisticsRow], late_s: int) -> None:
        """Note rows that have just been written, and are shown so much later."""
        now = self._clock.now()
        for row in rows:
            self.truth.add(row, now, now + late_s)
            if row.user_id != self.portal.admin.id:
                self.truth.hide(row, self.hidden_until)

    async def deliver(self, post: Post) -> None:
        """Send an event; if no process takes it, it is lost, as at Bitrix24."""
        try:
            answer = await self.portal.deliver(post)
        except httpx.TransportError:
            self.counts["unheard"] += 1
        else:
            assert answer.status_code in {200, 202}, answer.text

    async def _decide_fate(self, post: Post) -> None:
        fate = self._chance.random()
        if fate < LOST:
            self.counts["lost"] += 1
            return
        times = 1
        if fate < LOST + DOUBLED:
            self.counts["doubled"] += 1
            times = 2
        is_late = self._chance.random() < LATE
        self.counts["late"] += is_late
        for _ in range(times):
            if is_late:
                delay_s = int(min(2 * DAY_S, self._chance.lognormvariate(6.5, 2)))
                self._agenda.plan(self._clock.now() + delay_s, lambda: self.deliver(post))
            else:
                await self.deliver(post)

    def _plan_facts(self, row: StatisticsRow, shown_at: int) -> None:
        """Plan additions to the row, and changes of it, minutes to weeks later."""
        if row.code != "200":
            return
        number = row.id
        self._plan_change(row, 0.8, shown_at, 30 * MINUTE_S, record_file_id=9_000 + number)
        self._plan_change(row, 0.3, shown_at, 12 * HOUR_S, transcript_id=5_000 + number)
        self._plan_change(row, 0.3, shown_at, 20 * DAY_S, vote=self._chance.randint(1, 5))
        self._plan_change(row, 0.2, shown_at, 24 * DAY_S, comment=f"note {number}")
        self._plan_change(row, 0.1, shown_at, 25 * DAY_S, comment=f"another note {number}", vote=1)
        self._plan_change(
            row,
            0.3,
            shown_at,
            9 * DAY_S,
            crm_entity_type="DEAL",
            crm_entity_id=number,
            crm_activity_id=number,
        )
        self._plan_change(row, 0.2, shown_at, 2 * DAY_S, cost=f"{number % 90 / 10:.4f}", currency="USD")

    def _plan_change(self, row: StatisticsRow, share: float, after: int, within_s: int, **facts: Any) -> None:
        if self._chance.random() >= share:
            return

        async def change() -> None:
            for name, value in facts.items():
                setattr(row, name, value)  # The statistics may have lost it, and another row may have its id.

        at = after + self._chance.randrange(1, within_s)
        if at < self.quiet_from:
            self._agenda.plan(at, change)

    def _pick_time_of_day(self) -> int:
        return int(HOUR_S * self._chance.triangular(0, 24, 11))
