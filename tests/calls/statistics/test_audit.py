"""The portal's own count against Callbook's: the log follows every change of the statistics."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from app.calls.statistics.fetch.range_requests import StatisticsRefusedError
from app.calls.statistics.progress.mark_queries import find_mark
from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.read_turns import Histories
from app.demo.core.statistics import StatisticsRow
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.model import Portal
from app.portals.news import Changes
from tests.calls.statistics.fetch.fake_statistics import FakeAccess
from tests.calls.statistics_rows import make_row
from tests.calls.stored_calls import insert_portal
from tests.running import FakeClock

NUMBERS = itertools.count()
DAY = 86_400
HOUR = 3600


class World:
    """A portal with statistics that the test can change at will, and Callbook reading them."""

    def __init__(self, database: Database, clock: FakeClock, portal: Portal) -> None:
        self.database, self.clock, self.portal = database, clock, portal
        self.access = FakeAccess()
        self.histories = Histories(self.access, database, clock, Changes(database))

    def fill(self, ids: range, **changes: Any) -> None:
        told = {"started_at": self.clock.now() - 100} | changes
        self.access.rows += [make_row(number, **told) for number in ids]
        self.access.rows.sort(key=lambda row: row.id)

    def row(self, statistics_id: int) -> StatisticsRow:
        return next(row for row in self.access.rows if row.id == statistics_id)

    async def read(self, *, is_full: bool = True) -> Mark:
        """Do a read, and the history that it asks for."""
        await self.histories.catch_up(self.portal, is_full=is_full)
        return await self.finish_history()

    async def finish_history(self) -> Mark:
        while (mark := await self.mark()).history_state != "complete":
            self.clock.advance(1)
            await self.histories.run_slice(self.portal, is_forced=True)
        return mark

    async def mark(self) -> Mark:
        mark = await find_mark(self.portal.id, self.portal.generation)
        assert mark is not None
        return mark

    async def confirmed(self) -> dict[int, str]:
        """The calls of the rows that are confirmed."""
        rows = await self.run(
            "SELECT statistics_id, call_id FROM call_legs WHERE statistics_id IS NOT NULL AND gone_at IS NULL"
        )
        return {row["statistics_id"]: row["call_id"] for row in rows}

    def shown(self) -> dict[int, str]:
        return {row.id: row.call_id for row in self.access.select({"FILTER": {}})}

    async def run(self, sql: str) -> list[dict[str, Any]]:
        return await self.database.run(f"{sql} AND portal_id = {self.portal.id}")


async def make_world(database: Database, clock: FakeClock) -> World:
    portal = await queries.get_portal(await insert_portal(f"{next(NUMBERS):032x}"))
    assert portal is not None
    return World(database, clock, portal)


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> World:
    return await make_world(database, clock)


async def test_one_count_a_day_while_nothing_differs(world: World) -> None:
    world.fill(range(1, 120))
    await world.read()
    audits = world.access.audits
    for _ in range(24):
        world.clock.advance(HOUR)
        await world.read(is_full=False)
    assert world.access.audits == audits
    await world.read(is_full=True)
    assert world.access.audits == audits + 1


async def test_pages_that_were_empty_for_a_while_leave_no_gap(world: World) -> None:
    """For a minute, while the history was read, rights were cut or the portal was wrong."""
    world.fill(range(1, 1001))
    batch, asked = world.access.batch, itertools.count()

    async def forgetful(portal: Portal, commands: Mapping[str, Any]) -> Any:
        world.access.shown_users = set() if next(asked) == 1 else None
        return await batch(portal, commands)

    world.access.batch = forgetful  # type: ignore[method-assign]
    mark = await world.read()
    assert await world.confirmed() == world.shown()
    assert mark.complete_up_to is not None


async def test_a_read_that_brings_nothing_where_something_is_known_dates_nothing(world: World) -> None:
    world.fill(range(1, 120))
    before = await world.read()
    world.clock.advance(DAY)
    world.access.shown_users = set()
    after = await world.read()
    assert after.read_up_to == before.read_up_to
    assert after.is_limited
    assert len(await world.confirmed()) == 119
    world.access.shown_users = None
    world.clock.advance(DAY)
    final = await world.read()
    assert (final.is_limited, final.complete_up_to is not None) == (False, True)


async def test_a_restored_portal_gives_ids_again(world: World) -> None:
    world.fill(range(1, 601))
    await world.read()
    world.clock.advance(HOUR)
    world.access.rows = [row for row in world.access.rows if row.id <= 400]
    world.fill(range(401, 451), call_id="new")
    for row in world.access.rows[400:]:
        row.call_id = f"new.{row.id}"
    mark = await world.read(is_full=False)
    assert world.shown().items() <= (await world.confirmed()).items()
    assert mark.complete_up_to is not None


@pytest.mark.parametrize("count", [120, 4_000])
async def test_ids_that_begin_again_are_other_calls(world: World, count: int) -> None:
    old = world.clock.now() - 40 * DAY
    world.fill(range(1, count + 500), started_at=old)
    await world.read()
    world.clock.advance(DAY)
    world.access.rows.clear()
    world.fill(range(1, count), started_at=old)
    for row in world.access.rows:
        row.call_id = f"moved.{row.id}"
    mark = await world.read()
    confirmed = await world.confirmed()
    assert {one: confirmed[one] for one in world.shown()} == world.shown()
    assert mark.complete_up_to is not None


async def test_one_renamed_row_does_not_cause_another_read_of_the_whole_history(world: World) -> None:
    world.fill(range(1, 4_000), started_at=world.clock.now() - 40 * DAY)
    world.fill(range(4_000, 4_100))
    await world.read()
    world.row(4_050).call_id = "named later"
    read = []
    for _ in range(3):
        world.clock.advance(DAY)
        read.append((await world.histories.catch_up(world.portal, is_full=True)).rows)
        assert (await world.mark()).history_state == "complete"
    assert read[0] <= 2 * 2_500 + 400  # The samples, once, and each day a slice of old rows.
    assert max(read[1:]) <= 2_500 + 400
    assert await world.confirmed() == world.shown()


async def test_a_lower_id_that_is_shown_much_later_is_found_within_a_day(world: World) -> None:
    world.fill(range(1, 400), started_at=world.clock.now() - 60 * DAY)
    world.fill(range(2_000, 2_400), started_at=world.clock.now() - 60 * DAY)
    await world.read()
    world.clock.advance(DAY)
    world.fill(range(1_000, 1_010), started_at=world.clock.now() - 60 * DAY)
    mark = await world.read()
    assert await world.confirmed() == world.shown()
    assert mark.complete_up_to is not None


@pytest.mark.parametrize("is_full", [False, True])
async def test_a_lower_id_that_is_shown_half_an_hour_late_is_found_by_the_next_read(
    world: World, *, is_full: bool
) -> None:
    """Reads may be hours apart. The rows of an import began long ago."""
    world.fill(range(1, 400), started_at=world.clock.now() - 60 * DAY)
    await world.read()
    world.clock.advance(2 * DAY)
    world.fill(range(420, 900), started_at=world.clock.now() - 60 * DAY)
    await world.read(is_full=is_full)
    world.clock.advance(HOUR // 2)
    world.fill(range(400, 420), started_at=world.clock.now() - 60 * DAY)
    world.clock.advance(6 * HOUR)
    mark = await world.read(is_full=False)
    assert await world.confirmed() == world.shown()
    assert mark.complete_up_to is not None


async def test_a_deleted_row_confirms_nothing_and_goes_after_thirty_days(world: World) -> None:
    world.fill(range(1, 301), started_at=world.clock.now() - 60 * DAY)
    await world.read()
    gone = world.row(150)
    world.access.rows.remove(gone)
    world.clock.advance(DAY)
    await world.read()
    assert await world.confirmed() == world.shown()
    sql = "SELECT is_confirmed FROM calls WHERE call_id = 'call.150'"
    assert [bool(row["is_confirmed"]) for row in await world.run(sql)] == [False]
    world.clock.advance(31 * DAY)
    await world.read()
    assert await world.run(sql) == []


async def test_a_deleted_row_does_not_make_up_for_one_that_is_missing(world: World) -> None:
    """The two counts would agree."""
    world.fill(range(1, 301), started_at=world.clock.now() - 60 * DAY)
    world.fill(range(310, 700))
    await world.read()
    world.access.rows.remove(world.row(650))
    world.fill(range(305, 306), started_at=world.clock.now() - 60 * DAY)
    world.clock.advance(DAY)
    mark = await world.read()
    assert await world.confirmed() == world.shown()
    assert mark.complete_up_to is not None


async def test_a_deleted_row_that_comes_back_is_confirmed_again(world: World) -> None:
    world.fill(range(1, 301), started_at=world.clock.now() - 60 * DAY)
    await world.read()
    gone = world.row(150)
    world.access.rows.remove(gone)
    world.clock.advance(DAY)
    await world.read()
    world.access.rows.insert(149, gone)
    world.clock.advance(DAY)
    await world.read()
    assert await world.confirmed() == world.shown()


async def test_what_the_owner_may_no_longer_see_stays_and_the_log_is_limited(world: World) -> None:
    world.fill(range(1, 301), started_at=world.clock.now() - 60 * DAY)
    for row in world.access.rows[::2]:
        row.user_id = 7
    await world.read()
    world.access.shown_users = {7}
    world.clock.advance(DAY)
    mark = await world.read()
    assert (mark.is_limited, len(await world.confirmed())) == (True, 300)
    audits = world.access.audits
    world.clock.advance(DAY)
    await world.read()
    assert world.access.audits == audits + 1
    world.access.shown_users = None
    world.fill(range(400, 420), started_at=world.clock.now() - 60 * DAY)
    world.clock.advance(DAY)
    mark = await world.read()
    assert not mark.is_limited
    assert await world.confirmed() == world.shown()


async def test_rights_that_grow_are_noticed_however_few_calls_there_are(world: World) -> None:
    world.fill(range(1, 40), started_at=world.clock.now() - 60 * DAY)
    world.row(3).user_id = 7
    world.access.shown_users = {12}
    await world.read()
    world.access.shown_users = None
    world.clock.advance(DAY)
    mark = await world.read()
    assert await world.confirmed() == world.shown()
    assert mark.complete_up_to is not None


async def test_a_portal_that_counts_wrongly_is_compared_once_a_day_and_promises_all_the_same(
    world: World,
) -> None:
    """So too by the vendor's command, whose reads have no bounds. The promise made before stays in the
    meantime.
    """
    world.fill(range(1, 301))
    await world.read()
    world.clock.advance(DAY)
    world.access.count = lambda parameters: 10**6  # type: ignore[method-assign]
    await world.histories.catch_up(world.portal, is_full=True, is_bounded=False)
    mark = await world.mark()
    assert (mark.complete_up_to is not None, mark.audit_offset) == (True, 10**6 - 300)
    audits = world.access.audits
    batch, promised = world.access.batch, []

    async def look(portal: Portal, commands: Mapping[str, Any]) -> Any:
        promised.append((await world.mark()).complete_up_to)
        return await batch(portal, commands)

    world.access.batch = look  # type: ignore[method-assign]
    world.clock.advance(DAY)
    await world.read()
    assert world.access.audits <= audits + 3
    assert None not in promised


async def test_pages_that_always_fail_end_the_audit_and_promise_nothing(world: World) -> None:
    world.fill(range(1, 301))
    await world.read()
    world.fill(range(400, 420))
    answer, counted = world.access.answer, list[Any]()

    def count(parameters: Mapping[str, Any]) -> int:
        counted.append(parameters)
        return 50

    world.access.count = count  # type: ignore[method-assign]
    world.access.answer = (  # type: ignore[method-assign]
        lambda parameters: {"broken": 1} if counted and parameters["start"] else answer(parameters)
    )
    world.clock.advance(DAY)
    with pytest.raises(StatisticsRefusedError):
        await world.histories.catch_up(world.portal, is_full=True, is_bounded=False)
    world.access.answer = answer  # type: ignore[method-assign]
    assert (await world.mark()).complete_up_to is None
