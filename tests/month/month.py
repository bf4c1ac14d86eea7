"""A month of a portal beside Callbook: the plan of its faults, and the checks on the way."""

import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from app.demo.core.bucket import Bucket
from app.demo.stand_in import StandIn
from app.kit.storage.database import Database
from app.tables import TABLES
from tests.month import state_faults, statistics_faults, trouble
from tests.month.clock import SharedClock
from tests.month.copies import DatabaseCopy
from tests.month.keeping import Keeper
from tests.month.life import MINUTE_S, Agenda, PortalLife
from tests.month.log_comparison import count_counted, expect_log, list_differences, look_at_log, read_log
from tests.month.purchases import Purchases
from tests.month.truth import DAY_S, HOUR_S
from tests.running import CLIENT_ID, CLIENT_SECRET

BEGIN = 1_795_000_000 // DAY_S * DAY_S
CALLS_BEFORE = 120  # Calls before the installation.
CALLS_A_DAY = 12
QUIET_S = 26 * HOUR_S  # So long after the last call, everything must be known.
CHECKED_EVERY_S = 7 * HOUR_S
KINDS = (*trouble.KINDS, *statistics_faults.KINDS, *state_faults.KINDS)
LEFT_OUT = 0.15  # The share of kinds that a month leaves out by chance.


class Course(NamedTuple):
    """The length of a month, and the kinds of faults in it."""

    seed: int
    days: int
    kinds: Collection[str]


def draw_month(seed: int) -> Course:
    """A month with most kinds of faults."""
    chance = random.Random(f"kinds {seed}")
    return Course(seed, 29, [kind for kind in KINDS if chance.random() >= LEFT_OUT])


class Month:
    """The portal's life, Callbook beside it, and regular checks."""

    def __init__(
        self, database_url: str, stand_in: StandIn, clock: SharedClock, folder: Path, course: Course
    ) -> None:
        seed = course.seed
        self.database = Database(database_url, TABLES)
        self.portal = stand_in.portals[0]
        self.purchases = Purchases()
        self.agenda = Agenda(clock, self._watch)
        self.life = PortalLife(self.portal, self.agenda, seed)
        self.keeper = Keeper(database_url, stand_in, clock, folder / "callbook.log")
        self.trouble = trouble.Trouble(self.life, self.keeper, self.agenda, seed)
        self.statistics_faults = statistics_faults.StatisticsFaults(
            self.life, self.agenda, seed, self.trouble.visit, self.check
        )
        copy = DatabaseCopy(self.database)
        self.state_faults = state_faults.StateFaults(
            self.life, self.keeper, self.agenda, copy, seed, self.trouble.visit
        )
        self.clock = clock
        self.lies: list[str] = []
        self.looks = 0
        self._course = course
        self._chance = random.Random(seed)

    async def run(self) -> None:
        """Install the app, live through the month, and wait until all is quiet."""
        days, kinds = self._course.days, self._course.kinds
        await self.keeper.start()
        self.life.plan_calls(BEGIN, days, CALLS_A_DAY)
        self.statistics_faults.lay_old(kinds, days)
        for _ in range(CALLS_BEFORE):
            await self.life.end_call()  # Before the installation no event is bound.
        assert (await self.portal.install(self.keeper.url)).status_code == httpx.codes.OK
        await self.keeper.turn()
        end = self.life.quiet_from
        for part in (self.trouble, self.statistics_faults, self.state_faults):
            part.plan(kinds, BEGIN, days)
        self._plan_turns(end + QUIET_S)
        for at in range(BEGIN, end + QUIET_S, CHECKED_EVERY_S):
            self.agenda.plan(at, self.check)
        for _ in range(days):
            self.agenda.plan(BEGIN + self._chance.randrange(days * DAY_S), self.trouble.visit)
        self.agenda.plan(end + HOUR_S, self.trouble.visit)
        await self.agenda.live(end + QUIET_S)

    async def check(self) -> None:
        """Check that the log's claims of now are true (see `tests.month.truth`)."""
        look = await look_at_log(self.database, state_faults.MOST_AHEAD_S)
        if look is None:
            return
        self.looks += 1
        now, up_to = self.clock.now(), look.complete_up_to
        if up_to > now:
            self.lies.append(f"at {now}: complete up to {up_to}, which is to come")
        if missing := self.life.truth.list_missing(look):
            self.lies.append(f"at {now}: complete up to {up_to}, without the rows {missing}")

    async def compare(self) -> list[str]:
        """The differences of the log from the statistics at the end, in words."""
        calls = await read_log(self.portal, self.keeper.url)
        expected = expect_log(self.portal.state.statistics)
        differences = list_differences(calls, expected, self.life.truth.call_ids)
        counted = await count_counted(self.database)
        return differences + (
            [] if counted == len(expected) else [f"{counted} calls count, not {len(expected)}"]
        )

    def judge(self) -> list[str]:
        """The other facts that are wrong after a month, in words."""
        refusals = self.portal.bucket.refusals
        found = [*self.lies, *self.keeper.unexpected]
        found += self.purchases.list_too_many(self.state_faults.restored_at)
        found += [f"the portal's rate limit was met {refusals} times"] if refusals else []
        wanted = sum(kind in self._course.kinds for kind in trouble.CRASHES)
        found += [f"crashes: {self.trouble.crashes}"] if len(self.trouble.crashes) != wanted else []
        return found if self.looks else [*found, "the log promised nothing at any look"]

    def describe(self) -> dict[str, Any]:
        """The events of the month, in numbers."""
        most = self.purchases.most_a_day()
        counts = {**self.life.counts, "looks": self.looks, "refreshes": len(self.purchases.moments)}
        return counts | {"most refreshes a day": most, "requests": self.portal.counts["rest"]}

    def _plan_turns(self, until: int) -> None:
        at = BEGIN
        while at < until:
            self.agenda.plan(at, self.trouble.take_turn)
            at += self._chance.randrange(MINUTE_S, 3 * HOUR_S)

    def _watch(self) -> None:
        self.purchases.note(self.portal.counts["oauth.refresh"], self.clock.wall.now())


@asynccontextmanager
async def open_month(database_url: str, folder: Path, course: Course) -> AsyncIterator[Month]:
    """A month that has not begun, its portal and its database."""
    clock = SharedClock(folder / "clock", BEGIN)
    async with StandIn.serve(
        portals=1, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=clock
    ) as stand_in:
        portal = stand_in.portals[0]
        portal.bucket = Bucket(clock.now)
        portal.add_app()
        month = Month(database_url, stand_in, clock, folder, course)
        await month.database.open()
        try:
            yield month
        finally:
            await month.keeper.close()
            await month.database.close()


async def live_month(database_url: str, folder: Path, course: Course) -> tuple[dict[str, Any], list[str]]:
    """Live through the month; return its events and its faults, in words."""
    async with open_month(database_url, folder, course) as month:
        await month.run()
        differences = await month.compare()
        return month.describe(), [*month.judge(), *differences]
