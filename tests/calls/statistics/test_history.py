"""The whole history after an installation: every row once, few requests, resumed after any break."""

import asyncio
import random
from typing import Any

import pytest

from app.calls.statistics import history, read_turns
from app.calls.statistics.fetch import batch_reader
from app.calls.statistics.progress.read_lease import LEASE_S
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.scheduler import read_histories
from tests.calls.statistics_rows import (
    count_requests,
    fill,
    install,
    list_stored,
    read_mark,
    read_portal,
)
from tests.running import Callbook, FakeClock


async def assert_whole(callbook: Callbook, portal: StandInPortal) -> None:
    rows = portal.state.statistics
    calls, legs = await list_stored(callbook)
    assert calls == sorted(row.call_id for row in rows)
    assert legs == [row.id for row in rows]
    mark = await read_mark(portal)
    assert (mark.history_state, mark.failures, mark.claimed_until) == ("complete", 0, 0)
    assert (mark.rows_done, mark.rows_total) == (len(rows), len(rows))


@pytest.mark.quick
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 2_500, 2_501, 25_000])
async def test_a_dense_history_takes_the_fewest_requests(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock, count: int
) -> None:
    fill(portal, range(7, 7 + count))
    await install(callbook, portal)
    await assert_whole(callbook, portal)
    assert count_requests(stand_in) <= 1.1 * -(-count // 2_500) + 3
    assert (await read_mark(portal)).complete_up_to == clock.now()


async def test_sparse_ids_are_read_whole_with_few_requests_more(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    chance = random.Random(3)
    fill(portal, sorted({*chance.sample(range(1, 40_000), 2_000), *range(9_000_000, 9_000_300)}))
    await install(callbook, portal)
    await assert_whole(callbook, portal)
    assert count_requests(stand_in) <= 14


async def test_a_slow_portal_is_neither_overstrained_nor_kept_for_a_minute(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    """At two seconds a page its execution time would run out twice; Callbook rests before it does."""
    portal.execution_s = 2.0
    fill(portal, range(1, 22_000, 2))
    fill(portal, range(30_001, 42_000))
    await install(callbook, portal)
    rests = 0
    while (mark := await read_mark(portal)).history_state == "running":
        assert clock.now() < mark.next_at <= clock.now() + 601
        clock.at = mark.next_at
        rests += 1
        await read_histories(callbook.parts)
        await callbook.settle()
    assert rests == 2
    await assert_whole(callbook, portal)
    assert portal.longest_request_s <= 20
    assert (portal.operating.refusals, portal.bucket.refusals) == (0, 0)


class Crash(BaseException):
    """The end of the process at this point."""


class Danger:
    """Ends the process before or after one of the named steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        self.chance = random.Random(seed)
        self.crashes = 0
        for module, name in [
            (batch_reader, "ask"),
            (batch_reader, "write_rows"),
            (history, "begin_history"),
            (history, "move_mark"),
            (read_turns, "change_leased"),
        ]:
            monkeypatch.setattr(module, name, self.around(getattr(module, name)))

    def around(self, step: Any) -> Any:
        async def run(*args: Any, **named: Any) -> Any:
            self.risk()
            result = await step(*args, **named)
            self.risk()
            return result

        return run

    def risk(self) -> None:
        if self.crashes < 12 and self.chance.random() < 0.3:
            self.crashes += 1
            raise Crash


@pytest.mark.quick
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    installed = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    fill(portal, (number for number in range(1, 1_400) if number % 17))
    danger = Danger(monkeypatch, seed)
    for _ in range(40):
        try:
            await callbook.parts.histories.run_slice(installed)
        except Crash:
            clock.advance(LEASE_S)
    assert danger.crashes >= 8
    await assert_whole(callbook, portal)


async def test_two_readers_at_once_are_one(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    installed = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    fill(portal, range(1, 300))
    before = count_requests(stand_in)
    marks = await asyncio.gather(*(callbook.parts.histories.run_slice(installed) for _ in range(5)))
    assert len([mark for mark in marks if mark is not None]) == 1
    assert count_requests(stand_in) - before == 3  # The last of them counts.
    await assert_whole(callbook, portal)


@pytest.mark.parametrize(
    "trouble",
    [
        {"network": "drop"},
        {"network": "html"},
        {"code": "INTERNAL_SERVER_ERROR", "status": 500},
        {"code": "OPERATION_TIME_LIMIT", "status": 429},
        {"code": "ACCESS_DENIED", "status": 403},
    ],
)
@pytest.mark.parametrize("operation", ["rest", "batch", "voximplant.statistic.get"])
async def test_a_portal_that_fails_is_asked_again_later(
    callbook: Callbook,
    stand_in: StandIn,
    portal: StandInPortal,
    clock: FakeClock,
    trouble: dict[str, Any],
    operation: str,
) -> None:
    installed = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    fill(portal, range(1, 1_200))
    rule = stand_in.fail(operation, portal=portal, **trouble)
    await callbook.parts.histories.run_slice(installed)
    hits = rule.hits
    assert hits > 0
    await read_histories(callbook.parts)
    await callbook.settle()
    assert rule.hits == hits
    mark = await read_mark(portal)
    assert mark.history_state in {"pending", "failed"}
    assert mark.next_at > clock.now()
    stand_in.heal()
    clock.at = max(mark.next_at, (await read_portal(portal)).contact_retry_at)
    await read_histories(callbook.parts)
    await callbook.settle()
    await assert_whole(callbook, portal)


async def test_a_portal_that_moves_while_it_is_read_is_followed(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    portal.execution_s = 2.0
    fill(portal, range(1, 20_000))
    await install(callbook, portal)
    mark = await read_mark(portal)
    assert mark.history_state == "running"
    await portal.move()
    portal.execution_s = 0.01
    clock.at = mark.next_at
    await read_histories(callbook.parts)
    await callbook.settle()
    await assert_whole(callbook, portal)
    assert (await read_portal(portal)).domain == portal.domain


async def test_calls_that_end_meanwhile_are_complete_too_and_once(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    portal.execution_s = 2.0
    fill(portal, range(1, 15_000))
    await install(callbook, portal)
    first = await read_mark(portal)
    assert (first.history_state, first.complete_up_to) == ("running", None)
    await portal.end_call()
    lost = await portal.end_call(lose=True)
    clock.at = first.next_at
    portal.execution_s = 0.01
    await read_histories(callbook.parts)
    await callbook.settle()
    mark = await read_mark(portal)
    assert mark.complete_up_to == clock.now()  # A forward read ends it, because it took so long.
    calls, legs = await list_stored(callbook)
    assert lost.call_id in calls
    assert legs == [row.id for row in portal.state.statistics]
    assert len(calls) == len(legs)


@pytest.mark.quick
async def test_a_reinstallation_reads_again_and_an_uninstall_leaves_no_mark(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    fill(portal, range(1, 101))
    await install(callbook, portal)
    await portal.uninstall(clean=False)
    assert await callbook.run_sql("SELECT * FROM statistics_marks") == []
    fill(portal, range(101, 151))
    before = count_requests(stand_in)
    await install(callbook, portal)
    assert count_requests(stand_in) - before == 3  # The last of them counts.
    await assert_whole(callbook, portal)


async def test_an_uninstall_ends_the_reading(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    installed = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    fill(portal, range(1, 200))
    gate = stand_in.hold("batch", portal=portal)
    reading = asyncio.create_task(callbook.parts.histories.run_slice(installed))
    await gate.reached()
    await portal.uninstall(clean=True)
    gate.release()
    assert await reading is None
    assert await list_stored(callbook) == ([], [])
    assert await callbook.run_sql("SELECT * FROM statistics_marks") == []


@pytest.mark.quick
async def test_the_mark_goes_by_the_portal_s_clock_also_when_that_is_set_back(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    """No reader may rely on a moment in the future, by the portal's clock or by ours."""
    installed = await install(callbook, portal)
    for ahead_s in (600, -600, 86_400, 0):
        stand_in.clock = FakeClock(clock.now() + ahead_s)
        result = await callbook.parts.histories.catch_up(installed)
        assert result.complete_up_to == clock.now() + min(ahead_s, 0)


async def test_a_second_that_passes_meanwhile_puts_no_history_off(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick() -> int:
        clock.at += 1
        return clock.at

    fill(stand_in.portals[0], range(1, 4))
    monkeypatch.setattr(clock, "now", tick)
    await install(callbook, stand_in.portals[0])
    assert (await read_mark(stand_in.portals[0])).history_state == "complete"
