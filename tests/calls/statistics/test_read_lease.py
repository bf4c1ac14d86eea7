"""One process at a time reads a portal, under a lease that it keeps, gives back, or loses."""

import asyncio

import pytest

from app.calls.statistics import reconciliation
from app.calls.statistics.fetch import turn_share
from app.calls.statistics.progress import read_schedule
from app.calls.statistics.progress.evidence_queries import want_reads
from app.calls.statistics.progress.read_lease import LEASE_S
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.fairness.turns import Kind
from app.portals.outbound.access import PortalNotConnectedError
from app.scheduler import reconcile, run_job
from tests.calls.statistics.reconciling import DAY, install_and_read, is_logged, read_call, turn
from tests.calls.statistics_rows import install, make_row, read_mark, read_portal
from tests.patience import PATIENCE_S, wait_until
from tests.running import Callbook, FakeClock


@pytest.mark.quick
async def test_two_processes_read_a_portal_once(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    gate = portal.stand_in.hold("batch", when="before", portal=portal, times=1)
    found = await read_portal(portal)
    first = callbook.parts.background.spawn("first", callbook.parts.reconciliation.read(found))
    await gate.reached()
    assert not await callbook.parts.reconciliation.read(found)
    gate.release()
    assert await first


async def test_portals_that_answer_are_read_while_one_holds_its_answer_back(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holding portal takes one place; all others go on with the rest, in this turn and in the next
    ones.
    """
    monkeypatch.setattr(reconciliation, "READ", Kind(name="read", places=2))
    slow = stand_in.portals[0]
    others = [stand_in.portals[1], await stand_in.add_portal(), await stand_in.add_portal()]
    for portal in (slow, *others):
        await install_and_read(callbook, portal)
    gate, asked = stand_in.hold("batch", portal=slow), slow.counts["batch"]

    async def all_are_read() -> bool:
        return all([(await read_mark(portal)).looked_at == clock.now() for portal in others])

    for _ in range(2):
        clock.advance(read_schedule.READ_EVERY_S)
        portal_ids = [(await read_portal(portal)).id for portal in (slow, *others)]
        await want_reads(callbook.parts.database, portal_ids, clock.now())
        lost = [await portal.end_call(lose=True) for portal in others]
        async with asyncio.timeout(PATIENCE_S):
            await run_job(callbook.parts, "one", reconcile)
            await gate.reached()
            await wait_until(all_are_read)  # Once a read has ended, the next turn may begin another.
        assert all([await is_logged(callbook, call.call_id) for call in lost])
        assert slow.counts["batch"] == asked + 1
    gate.release()
    await callbook.settle()
    assert (await read_mark(slow)).claimed_until == 0


async def test_a_long_read_keeps_its_lease_and_what_it_has_done(
    callbook: Callbook,
    stand_in: StandIn,
    portal: StandInPortal,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process is killed at the end; another process goes on from there."""
    monkeypatch.setattr(turn_share, "SLICE_S", 5 * LEASE_S)  # Longer than a share, except for late answers.
    started_at = clock.now() - DAY
    portal.state.statistics += [make_row(number, started_at=started_at) for number in range(1, 4_001)]
    await install_and_read(callbook, portal)
    clock.advance(read_schedule.READ_EVERY_S)
    portal.execution_s = 2.0
    found, reading = await read_portal(portal), callbook.parts.reconciliation
    gate = stand_in.hold("batch", portal=portal, times=1)
    first = asyncio.create_task(reading.read(found))
    for _ in range(4):
        await gate.reached()
        clock.advance(LEASE_S - 1)
        assert not await reading.read(found)
        following = stand_in.hold("batch", portal=portal, times=1)
        gate.release()
        gate = following
    await gate.reached()
    first.cancel()
    gate.release()
    low_id = (await read_mark(portal)).pass_low_id
    assert low_id is not None
    assert low_id < 3_000
    clock.advance(LEASE_S)
    before = len(stand_in.requests_with("voximplant.statistic.get"))
    assert await reading.read(found)
    asked = stand_in.requests_with("voximplant.statistic.get")[before:]
    assert len(asked) <= low_id // 500 + 2
    assert (await read_mark(portal)).pass_low_id is None


async def test_a_read_ends_with_its_process_and_can_go_on_in_another_at_once(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    portal.state.statistics += [make_row(number, started_at=clock.now()) for number in range(1, 2_001)]
    await install_and_read(callbook, portal)
    clock.advance(read_schedule.READ_EVERY_S)
    portal.execution_s = 2.0
    found, parts = await read_portal(portal), callbook.parts
    gate, asked = stand_in.hold("batch", portal=portal), portal.counts["batch"]
    reading = asyncio.create_task(parts.reconciliation.read(found))
    await gate.reached()
    parts.histories.stop()
    gate.release()
    assert not await reading
    assert portal.counts["batch"] == asked + 1
    mark = await read_mark(portal)
    assert (mark.claimed_until, mark.failures, mark.next_at) == (0, 0, clock.now())
    assert mark.pass_low_id is not None


async def test_a_reader_that_lost_the_lease_gives_nothing_back(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(read_schedule.READ_EVERY_S)
    found, reading = await read_portal(portal), callbook.parts.reconciliation
    gates = [stand_in.hold("batch", when="before", portal=portal, times=1)]
    late = asyncio.create_task(reading.read(found))
    await gates[0].reached()
    clock.advance(LEASE_S)
    gates.append(stand_in.hold("batch", portal=portal, times=1))
    next_one = asyncio.create_task(reading.read(found))
    await gates[1].reached()
    claimed = await read_mark(portal)
    rule = stand_in.fail("batch", code="internal_server_error", portal=portal)
    gates[0].release()
    assert not await late
    assert await read_mark(portal) == claimed
    rule.cancel()
    gates[1].release()
    assert await next_one


async def test_a_hint_that_is_looked_up_meanwhile_ends_nobody_s_lease(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(read_schedule.READ_EVERY_S)
    found, reading = await read_portal(portal), callbook.parts.reconciliation
    gate = stand_in.hold("batch", portal=portal, times=1)
    claimed = asyncio.create_task(reading.read(found))
    await gate.reached()
    until = (await read_mark(portal)).claimed_until
    await callbook.parts.histories.catch_up(found)
    assert (await read_mark(portal)).claimed_until == until
    gate.release()
    assert await claimed
    assert (await read_mark(portal)).claimed_until == 0


async def test_a_slow_portal_with_many_calls_is_read_to_the_end_in_several_turns(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    now = clock.now()
    for number in range(1, 14_001):
        portal.state.statistics.append(make_row(number, started_at=now - DAY + number))
    await install_and_read(callbook, portal)
    before = await read_mark(portal)
    clock.advance(DAY)
    first_at = clock.now()
    portal.execution_s = 2.0
    portal.change_row(3, record_file_id=1)
    turns = 0
    while (await read_mark(portal)).looked_at == before.looked_at:
        await turn(callbook)
        turns += 1
        clock.advance(700)
        assert turns < 10
    mark = await read_mark(portal)
    assert turns > 1
    assert (mark.looked_at, mark.read_up_to, mark.full_read_at) == (first_at, first_at, first_at)
    assert bool((await read_call(callbook, "call.3"))["has_recording"])
    assert portal.operating.refusals == 0


async def test_work_that_began_for_one_owner_of_the_token_does_not_go_on_for_another(
    callbook: Callbook, portal: StandInPortal
) -> None:
    await install_and_read(callbook, portal)
    before = await read_portal(portal)
    await callbook.run_sql("UPDATE portals SET token_user_id = 99")
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(before, "profile", {})
