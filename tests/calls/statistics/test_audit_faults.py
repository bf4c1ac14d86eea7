"""Answers that fail, are empty or too large, and rights that change, at any request of an audit: no row that
the statistics show is lost, and no promise is false.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from app.bitrix24.errors import TOO_LARGE, BitrixError, TooLarge, Unreachable
from app.bitrix24.rest.portal_client import BatchAnswer
from app.calls.statistics.audit import MOST_COUNTS
from app.calls.statistics.progress.mark_queries import reopen_history
from app.calls.statistics.progress.marks import Mark
from app.kit.storage.database import Database
from app.portals.model import Portal
from app.portals.settings.portal_settings import PortalSettings
from app.portals.settings.settings_queries import save_settings
from tests.calls.statistics.test_audit import DAY, HOUR, World, make_world
from tests.running import FakeClock

OLD = 60 * DAY
Commands = Mapping[str, Any]


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> World:
    return await make_world(database, clock)


def is_count(commands: Commands) -> bool:
    return any(not parameters["start"] for _, parameters in commands.values())


def before_each(world: World, change: Callable[[Commands], None]) -> Callable[[], None]:
    """Call `change` before each request; return a function that ends this."""
    batch = world.access.batch

    async def changed(portal: Portal, commands: Commands) -> BatchAnswer:
        change(commands)
        return await batch(portal, commands)

    def end() -> None:
        world.access.batch = batch  # type: ignore[method-assign]

    world.access.batch = changed  # type: ignore[method-assign]
    return end


async def live(world: World, days: int) -> Mark:
    for _ in range(days):
        world.clock.advance(DAY)
        await world.read()
    return await world.mark()


def old(world: World) -> int:
    return world.clock.now() - OLD


async def test_a_batch_of_empty_pages_in_an_audit_deletes_nothing(world: World) -> None:
    """One row is deleted, and the request that reads its page gets one empty answer."""
    world.fill(range(1, 1001), started_at=old(world))
    await world.read()
    world.access.rows.remove(world.row(150))
    state = {"is_counted": False, "emptied": 0}

    def empty_once(commands: Commands) -> None:
        world.access.shown_users = None
        if is_count(commands):
            state["is_counted"] = True
        elif state["is_counted"] and not state["emptied"]:
            state["emptied"] += 1
            world.access.shown_users = set()

    end = before_each(world, empty_once)
    await live(world, 1)
    end()
    world.access.shown_users = None
    mark = await live(world, 32)
    assert state["emptied"]
    assert await world.confirmed() == world.shown()
    assert (mark.complete_up_to is not None, mark.is_limited, mark.audit_offset) == (True, False, 0)
    calls = await world.run("SELECT COUNT(*) AS n FROM calls WHERE is_confirmed")
    assert calls[0]["n"] == len(world.shown())


async def test_a_row_that_is_gone_does_not_make_up_for_one_that_is_late(world: World) -> None:
    world.fill(range(1, 400), started_at=old(world))
    world.fill(range(2000, 2400), started_at=old(world))
    await world.read()
    world.access.rows.remove(world.row(150))
    world.fill(range(1000, 1001), started_at=old(world))
    await live(world, 2)
    assert await world.confirmed() == world.shown()


async def test_what_is_gone_and_what_is_late_in_one_part_is_found_by_the_slices(world: World) -> None:
    world.fill(range(1, 5001), started_at=old(world))
    world.access.rows.remove(world.row(150))
    await world.read()
    world.access.rows.remove(world.row(160))
    world.fill(range(150, 151), started_at=old(world))
    await live(world, 3)
    assert await world.confirmed() == world.shown()


async def test_a_history_read_with_less_rights_is_found_though_they_change_in_the_audit(world: World) -> None:
    world.fill(range(1, 4001), started_at=old(world))
    for row in world.access.rows:
        row.user_id = 7 if row.id % 2 or row.id > 3000 else 12  # User 12 left the company long ago.
    world.access.shown_users = {7}
    counts = itertools.count()

    def flicker(commands: Commands) -> None:
        if is_count(commands):
            world.access.shown_users = None if next(counts) == 0 else {7}

    end = before_each(world, flicker)
    await world.read()
    end()
    world.access.shown_users = None
    mark = await live(world, 2)
    assert await world.confirmed() == world.shown()
    assert (mark.complete_up_to is not None, mark.audit_offset) == (True, 0)


async def test_rights_that_are_cut_after_the_count_and_come_back_limit_nothing(world: World) -> None:
    world.fill(range(1, 1001), started_at=old(world))
    for row in world.access.rows:
        row.user_id = 7 if row.id % 2 or row.id > 700 else 12
    world.access.rows.remove(world.row(300))
    await world.read()
    world.fill(range(300, 301), started_at=old(world))
    counted: list[Commands] = []

    def cut(commands: Commands) -> None:
        if counted:
            world.access.shown_users = {7}
        elif is_count(commands):
            counted.append(commands)

    end = before_each(world, cut)
    await live(world, 1)
    assert (await world.mark()).complete_up_to is None
    end()
    world.access.shown_users = None
    mark = await live(world, 2)
    assert await world.confirmed() == world.shown()
    assert (mark.complete_up_to is not None, mark.is_limited, mark.audit_offset) == (True, False, 0)


@pytest.mark.parametrize(("count", "restored"), [(4_100, 2_800), (2_600, 2_300)])
async def test_ids_that_a_restored_portal_gives_again_are_found_anywhere(
    world: World, count: int, restored: int
) -> None:
    world.fill(range(1, count + 1), started_at=old(world))
    await world.read()
    world.access.rows = world.access.rows[:restored]
    world.fill(range(restored + 1, count + 1), started_at=old(world))
    for row in world.access.rows[restored:]:
        row.call_id = f"new.{row.id}"
    mark = await live(world, 2)
    assert await world.confirmed() == world.shown()
    assert mark.complete_up_to is not None


@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_a_suspicion_outlives_a_request_that_fails(world: World, failing: int) -> None:
    """The portal gave the ids above 300 again, and the read has taken over those in its window."""
    world.fill(range(1, 1001), started_at=old(world))
    await world.read()
    world.access.rows = world.access.rows[:300]
    world.fill(range(301, 1001), started_at=old(world))
    for row in world.access.rows[300:]:
        row.call_id = f"new.{row.id}"
    window_read, audited = itertools.count(), itertools.count()

    def fail_once(commands: Commands) -> None:
        if next(window_read) and next(audited) == failing:
            raise Unreachable("cut off")

    end = before_each(world, fail_once)
    world.clock.advance(DAY)
    with pytest.raises(Unreachable):
        await world.read()
    end()
    assert (await world.mark()).complete_up_to is None
    mark = await live(world, 1)
    assert await world.confirmed() == world.shown()
    assert mark.complete_up_to is not None


async def test_reads_that_show_nothing_date_nothing_however_many(world: World) -> None:
    world.fill(range(1, 120))
    before = await world.read()
    world.access.shown_users = set()
    for _ in range(3):
        world.clock.advance(DAY)
        assert (await world.read(is_full=False)).read_up_to == before.read_up_to


async def test_a_history_that_begins_again_with_an_empty_page_dates_nothing(world: World) -> None:
    world.fill(range(1, 301))
    await world.read()
    world.clock.advance(HOUR)
    world.fill(range(301, 311))
    await reopen_history(world.portal.id, world.portal.generation, world.clock.now())
    world.access.shown_users = set()
    assert (await world.finish_history()).complete_up_to is None
    world.access.shown_users = None
    mark = await live(world, 1)
    assert await world.confirmed() == world.shown()
    assert mark.complete_up_to is not None


async def test_a_read_whose_first_batch_is_empty_promises_nothing_that_is_missing(world: World) -> None:
    world.fill(range(1, 1001))
    await world.read()
    world.clock.advance(HOUR)
    world.fill(range(1001, 1101))
    asked = itertools.count()

    def empty_first(_: Commands) -> None:
        world.access.shown_users = set() if next(asked) == 0 else None

    before_each(world, empty_first)
    mark = await world.read(is_full=False)
    missing = world.shown().keys() - (await world.confirmed()).keys()
    assert not missing or mark.complete_up_to is None


async def test_a_page_that_is_too_large_is_compared_in_parts(world: World) -> None:
    world.fill(range(1, 1001), started_at=old(world))
    await world.read()
    world.access.rows.remove(world.row(150))
    batch = world.access.batch

    async def bounded(portal: Portal, commands: Commands) -> BatchAnswer:
        answer = await batch(portal, commands)
        for name, rows in list(answer.results.items()):
            if "151" in {row["ID"] for row in rows} and len(rows) > 3:
                del answer.results[name]
                answer.errors[name] = BitrixError(TOO_LARGE, 200)
        return answer

    world.access.batch = bounded  # type: ignore[method-assign]
    mark = await live(world, 1)
    assert mark.complete_up_to is not None
    assert await world.confirmed() == world.shown()


async def test_samples_that_are_too_large_together_are_read_in_several_requests(world: World) -> None:
    world.fill(range(1, 2_600), started_at=old(world))
    await world.read()
    batch = world.access.batch

    async def bounded(portal: Portal, commands: Commands) -> BatchAnswer:
        answer = await batch(portal, commands)
        if sum(map(len, answer.results.values())) > 600:
            raise TooLarge
        return answer

    world.access.batch = bounded  # type: ignore[method-assign]
    world.row(2_550).call_id = "renamed"
    mark = await live(world, 1)
    assert (mark.looked_at, mark.complete_up_to is not None) == (world.clock.now(), True)
    assert await world.confirmed() == world.shown()


async def test_deleted_rows_are_told_from_hidden_ones_however_many_users_are_hidden(world: World) -> None:
    world.fill(range(1, 601), started_at=old(world))
    for row in world.access.rows:
        row.user_id = row.id % 30 + 1
    await world.read()
    world.access.shown_users = set(range(27, 31))  # 26 users are hidden.
    await live(world, 1)
    gone = next(row for row in world.access.rows if row.user_id == 29 and 200 < row.id < 300)
    world.access.rows.remove(gone)
    mark = await live(world, 1)
    assert gone.id not in await world.confirmed()
    assert mark.is_limited


async def test_hidden_rows_stay_confirmed_while_the_rights_come_back(world: World) -> None:
    world.fill(range(1, 1001), started_at=old(world))
    for row in world.access.rows:
        row.user_id = 7 if row.id % 2 else 12
    await world.read()
    world.access.shown_users = {7}
    await live(world, 1)
    world.access.shown_users = None
    unconfirmed: list[int] = []
    batch = world.access.batch

    async def look(portal: Portal, commands: Commands) -> BatchAnswer:
        rows = await world.run("SELECT COUNT(*) AS n FROM calls WHERE NOT is_confirmed")
        unconfirmed.append(rows[0]["n"])
        return await batch(portal, commands)

    world.access.batch = look  # type: ignore[method-assign]
    await live(world, 1)
    assert max(unconfirmed) == 0


async def test_a_portal_that_counts_everything_wrongly_costs_no_end_of_requests(world: World) -> None:
    """The ids go up to 2^62, and the vendor's command reads them too, without bounds. Nothing is promised."""
    world.fill(range(1, 61), started_at=old(world))
    world.fill(range(2**62 - 1, 2**62), started_at=old(world))
    asked = itertools.count(1)
    world.access.count = lambda parameters: 10**6 + next(asked)  # type: ignore[method-assign]
    await world.histories.run_slice(world.portal, is_forced=True, is_bounded=False)
    await world.finish_history()
    audits = world.access.audits
    world.clock.advance(DAY)
    await world.histories.catch_up(world.portal, is_full=True, is_bounded=False)
    mark = await world.mark()
    assert world.access.audits - audits <= MOST_COUNTS + 10
    assert (mark.complete_up_to, mark.audit_tries > 0) == (None, True)
    assert mark.audit_next_at > world.clock.now()
    audits = world.access.audits
    world.clock.advance(60)
    await world.read(is_full=False)
    assert world.access.audits == audits


async def test_a_search_goes_on_where_a_failure_cut_it_off(world: World) -> None:
    world.fill(range(1, 3_001, 2), started_at=old(world))
    await world.read()
    world.fill(range(2, 3_001, 600), started_at=old(world))
    asked = itertools.count()

    def fail_in_the_middle(commands: Commands) -> None:
        if next(asked) == 3:
            raise Unreachable("cut off")

    end = before_each(world, fail_in_the_middle)
    world.clock.advance(DAY)
    with pytest.raises(Unreachable):
        await world.read()
    end()
    mark = await world.mark()
    assert (mark.audit_state != "", mark.audit_tries, mark.looked_at) == (True, 1, world.clock.now())
    world.clock.advance(HOUR)
    await world.read(is_full=False)
    assert await world.confirmed() == world.shown()
    assert (await world.mark()).audit_state == ""


async def test_the_newest_row_of_a_user_is_deleted_only_once_a_later_one_shows_it(world: World) -> None:
    world.fill(range(1, 301), started_at=old(world))
    world.row(200).user_id = 7
    world.row(100).user_id = 7
    await world.read()
    world.access.rows.remove(world.row(200))
    mark = await live(world, 1)
    assert (200 in await world.confirmed(), mark.is_limited, mark.counts_all) == (True, True, False)
    world.fill(range(600, 601), started_at=old(world), user_id=7)
    mark = await live(world, 1)
    assert await world.confirmed() == world.shown()
    assert not mark.is_limited


async def test_rows_that_are_older_than_the_portal_keeps_calls_are_no_difference(world: World) -> None:
    kept = msgspec.structs.replace(PortalSettings(), retention_months=1)
    assert await save_settings(world.portal.id, kept, 1, world.clock.now(), world.database)
    world.fill(range(1, 301), started_at=old(world))
    world.fill(range(301, 400))
    await world.read()
    audits = world.access.audits
    mark = await live(world, 1)
    assert (world.access.audits - audits, mark.audit_offset, mark.unequal_since) == (1, 0, None)
    assert set(await world.confirmed()) == set(range(301, 400))
