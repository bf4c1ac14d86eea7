"""A month of a portal: events lost, doubled and late, crashes, a move, late facts. The log is complete."""

import random
from pathlib import Path

import httpx
import pytest

from app.demo.rest.bucket import Bucket
from app.demo.stand_in import StandIn
from app.kit.database import Database
from tests.month.clock import SharedClock
from tests.month.comparing import expect_log, find_missing, list_differences, read_log
from tests.month.keeping import Keeper
from tests.month.life import DAY_S, HOUR_S, MINUTE_S, Agenda, PortalLife
from tests.month.trouble import Trouble
from tests.running import CLIENT_ID, CLIENT_SECRET

BEGIN = 1_795_000_000 // DAY_S * DAY_S
DAYS = 29
CALLS_A_DAY = 12
QUIET_S = 26 * HOUR_S  # So long after the last of them, everything must be known.
CHECKED_EVERY_S = 7 * HOUR_S
VISITS_A_DAY = 1


class Month:
    """The portal's life, Callbook beside it, and what is looked at now and then."""

    def __init__(
        self, database_url: str, stand_in: StandIn, clock: SharedClock, folder: Path, seed: int
    ) -> None:
        self.database = Database(database_url)
        self.portal = stand_in.portals[0]
        self.agenda = Agenda(clock)
        self.life = PortalLife(self.portal, clock, self.agenda, seed)
        self.keeper = Keeper(database_url, stand_in, clock, folder / "callbook.log")
        self.trouble = Trouble(self.life, self.keeper, self.agenda, seed)
        self.clock = clock
        self.checks: list[tuple[int, int | None]] = []
        self._chance = random.Random(seed)

    async def run(self) -> None:
        """Install it, live through the month, and let it be quiet."""
        await self.keeper.start()
        self.life.plan_calls(BEGIN, DAYS, CALLS_A_DAY)
        for _ in range(120):
            await self.life.end_call()  # From before the installation: no event is bound.
        assert (await self.portal.install(self.keeper.url)).status_code == httpx.codes.OK
        await self.keeper.turn()
        end = self.life.quiet_from
        self.trouble.plan(BEGIN, DAYS)
        self._plan_turns(end + QUIET_S)
        for at in range(BEGIN, end + QUIET_S, CHECKED_EVERY_S):
            self.agenda.plan(at, self.check)
        for _ in range(DAYS * VISITS_A_DAY):
            self.agenda.plan(BEGIN + self._chance.randrange(DAYS * DAY_S), self.visit)
        await self.agenda.live(end + QUIET_S)

    async def visit(self) -> None:
        """An administrator opens the app, if it is there."""
        if self.keeper.is_running:
            await self.portal.open_page()

    async def check(self) -> None:
        """What the log says of itself now must be true."""
        up_to, missing = await find_missing(self.database, self.life.shown_at)
        assert missing == [], f"complete up to {up_to}, without these rows"
        self.checks.append((self.clock.now(), up_to))

    def _plan_turns(self, until: int) -> None:
        at = BEGIN
        while at < until:
            self.agenda.plan(at, self.trouble.take_turn)
            at += self._chance.randrange(MINUTE_S, 3 * HOUR_S)


@pytest.mark.parametrize("seed", [1, 2])
async def test_after_a_month_the_log_equals_the_portal_s_statistics(
    tmp_path: Path, database_url: str, seed: int
) -> None:
    clock = SharedClock(tmp_path / "clock", BEGIN)
    async with StandIn.serve(
        portals=1, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=clock
    ) as stand_in:
        portal = stand_in.portals[0]
        portal.bucket = Bucket(clock.now)
        portal.add_app()
        month = Month(database_url, stand_in, clock, tmp_path, seed)
        await month.database.open()
        try:
            await month.run()
            print(seed, month.life.counts, month.trouble.crashes, dict(portal.counts))  # noqa: T201  If it fails.
            calls = await read_log(portal, month.keeper.url)
        finally:
            await month.keeper.close()
            await month.database.close()
    assert list_differences(calls, expect_log(portal.state.statistics)) == []
    assert month.keeper.unexpected == []
    assert len(month.trouble.crashes) == 3
    assert month.checks[-1][1] is not None
    assert portal.bucket.refusals == 0
