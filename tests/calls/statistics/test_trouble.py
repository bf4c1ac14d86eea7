"""Portals that are slow, cut off or late, read over real HTTP: no row is lost, and none is doubled."""

from typing import Any

import pytest

from app.calls.statistics import forward_read
from app.calls.statistics.fetch.range_requests import StatisticsRefusedError
from app.calls.statistics.fetch.turn_share import SLICE_S
from app.calls.statistics.progress.evidence_queries import want_reads
from app.calls.statistics.progress.pace import OPERATING_WINDOW_S
from app.calls.statistics.progress.read_schedule import READ_EVERY_S
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals.model import Portal
from app.scheduler import read_histories, reconcile
from tests.calls.statistics_rows import fill, install, list_stored, read_mark
from tests.running import Callbook, FakeClock

ENDLESS = "SELECT (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT COUNT(*) FROM c)"


@pytest.fixture
async def installed(callbook: Callbook, portal: StandInPortal) -> Portal:
    """An installed portal, with its history not begun."""
    found = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    return found


async def read_until_whole(callbook: Callbook, portal: StandInPortal, clock: FakeClock) -> None:
    """Read as often as the scheduler would."""
    for _ in range(40):
        await read_histories(callbook.parts)
        await callbook.settle()
        mark = await read_mark(portal)
        if mark.history_state == "complete":
            break
        clock.at = max(clock.at + 1, mark.next_at)
    rows = portal.state.statistics
    assert await list_stored(callbook) == (sorted(row.call_id for row in rows), [row.id for row in rows])


@pytest.mark.parametrize("network", ["half", "504", "drop_after"])
async def test_answers_that_do_not_come_whole_are_asked_for_again(
    callbook: Callbook,
    stand_in: StandIn,
    portal: StandInPortal,
    installed: Portal,
    clock: FakeClock,
    network: Any,
) -> None:
    fill(portal, range(1, 1_200))
    rule = stand_in.fail("batch", network=network, times=3)
    await read_until_whole(callbook, portal, clock)
    assert rule.hits == 3


@pytest.mark.quick
async def test_commands_that_were_not_run_are_asked_for_again(
    callbook: Callbook, portal: StandInPortal, installed: Portal, clock: FakeClock
) -> None:
    fill(portal, range(1, 3_000))
    portal.most_commands = 7
    await read_until_whole(callbook, portal, clock)


async def test_a_portal_whose_execution_time_ran_out_inside_a_batch_rests_for_ten_minutes(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    """The batch itself is answered, and its commands fail without saying when their time comes back."""
    fill(portal, range(1, 1_000))
    found = await install(callbook, portal)
    fill(portal, range(1_000, 1_100))
    clock.advance(READ_EVERY_S)
    rule = stand_in.fail("voximplant.statistic.get", code="OPERATION_TIME_LIMIT", status=429, portal=portal)
    before = portal.counts["batch"]
    assert not await callbook.parts.reconciliation.read(found)
    mark = await read_mark(portal)
    assert (mark.next_at, mark.failures) == (clock.now() + OPERATING_WINDOW_S, 0)
    assert portal.counts["batch"] == before + 1
    rule.cancel()
    clock.advance(OPERATING_WINDOW_S)
    assert await callbook.parts.reconciliation.read(found)
    assert (await list_stored(callbook))[1] == list(range(1, 1_100))


async def test_a_portal_that_becomes_slow_is_asked_for_less_at_once(
    callbook: Callbook, portal: StandInPortal, installed: Portal, clock: FakeClock
) -> None:
    """Its batches have grown to 50 pages; now it cuts off each that takes more than a minute."""
    fill(portal, range(1, 6_000))
    await callbook.parts.histories.run_slice(installed)
    await callbook.run_sql(
        "UPDATE statistics_marks SET low_id = 4000, rows_done = 2000, history_state = 'running'"
    )
    await callbook.run_sql("DELETE FROM call_legs WHERE statistics_id < 4000")
    await callbook.run_sql("DELETE FROM calls WHERE call_id NOT IN (SELECT call_id FROM call_legs)")
    assert (await read_mark(portal)).batch_pages == 50
    portal.execution_s, portal.longest_request_s = 2.0, 0.0
    await read_until_whole(callbook, portal, clock)
    assert portal.operating.refusals == 0


async def test_an_operator_that_the_portal_does_not_know_is_noticed(
    callbook: Callbook, portal: StandInPortal, installed: Portal
) -> None:
    fill(portal, range(1, 1_200))
    portal.ignored_operators = frozenset({"<="})
    mark = await callbook.parts.histories.run_slice(installed)
    assert mark is not None
    assert (mark.history_state, mark.failure_code) == ("failed", "filter_not_applied")
    assert mark.complete_up_to is None
    portal.ignored_operators = frozenset({">="})
    with pytest.raises(StatisticsRefusedError):
        await callbook.parts.histories.catch_up(installed)


async def test_rows_that_become_visible_out_of_order_are_found(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    installed = await install(callbook, portal)
    late = await portal.end_call(lose=True, visible_after_s=300)
    for _ in range(60):
        await portal.end_call(lose=True)
    await callbook.parts.histories.catch_up(installed)
    calls, _ = await list_stored(callbook)
    assert late.call_id not in calls
    assert (await read_mark(portal)).complete_up_to == clock.now()
    clock.advance(300)
    await callbook.parts.histories.catch_up(installed)
    calls, _ = await list_stored(callbook)
    assert late.call_id in calls


async def test_a_read_whose_own_query_takes_too_long_ends_and_says_so_in_the_mark(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(portal, range(1, 4))
    installed = await install(callbook, portal)
    clock.advance(SLICE_S)
    await want_reads(callbook.parts.database, [installed.id], clock.now())
    callbook.parts.database.engine.turns.background_limit_s = 0.05

    async def look_for_ever(*_: object) -> None:
        await callbook.parts.database.run(ENDLESS)

    monkeypatch.setattr(forward_read, "find_first_leg", look_for_ever)
    await reconcile(callbook.parts)
    await callbook.settle()
    mark = await read_mark(portal)
    assert (mark.failure_code, mark.failures, mark.claimed_until) == ("too_slow", 1, 0)
