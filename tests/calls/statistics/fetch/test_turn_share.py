"""No portal decides how long its statistics are read: a turn ends after its share, and the next one goes
on.
"""

import asyncio
from collections.abc import Coroutine

import pytest

from app.calls.statistics import reconciliation
from app.calls.statistics.fetch import turn_share
from app.calls.statistics.fetch.turn_share import ROWS_A_MINUTE, SLICE_S
from app.calls.statistics.progress.evidence_queries import want_reads
from app.calls.statistics.reconciliation import OF_CALLS
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.fairness import turns
from app.kit.fairness.turns import Kind
from app.scheduler import look_up, read_histories, reconcile
from tests.calls.statistics.reconciling import is_logged
from tests.calls.statistics_rows import fill, install, list_stored, read_mark, read_portal
from tests.patience import PATIENCE_S, wait_until
from tests.running import Callbook, FakeClock

MOST_BATCHES = 8


async def go_on_for_ever(
    stand_in: StandIn, portal: StandInPortal, clock: FakeClock, reading: asyncio.Task[object]
) -> int:
    """Let each answer take half a share, with new rows by the next; return how many batches were asked
    for.
    """
    asked = 0
    gate = stand_in.hold("batch", portal=portal, times=1)
    while asked < MOST_BATCHES:
        arrival = asyncio.create_task(gate.reached())
        await asyncio.wait({arrival, reading}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            arrival.cancel()
            break
        asked += 1
        next_id = portal.state.statistics[-1].id + 1
        fill(portal, range(next_id, next_id + 3_000))
        clock.advance(SLICE_S // 2)
        following = stand_in.hold("batch", portal=portal, times=1)
        gate.release()
        gate = following
    gate.release()
    await reading
    return asked


async def test_statistics_that_never_end_are_read_a_share_at_a_time_and_the_next_goes_on(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    fill(portal, range(1, 100))
    await install(callbook, portal)
    high_ids = [(await read_mark(portal)).high_id]
    for _ in range(2):
        clock.advance(SLICE_S)
        fill(portal, range(portal.state.statistics[-1].id + 1, portal.state.statistics[-1].id + 3_000))
        reading = asyncio.create_task(callbook.parts.reconciliation.read(await read_portal(portal)))
        assert await go_on_for_ever(stand_in, portal, clock, reading) <= 3
        mark = await read_mark(portal)
        assert (mark.failures, mark.claimed_until) == (0, 0)
        assert mark.pass_low_id is not None
        high_ids.append(mark.high_id)
    assert high_ids == sorted(set(high_ids))
    for _ in range(20):
        await reconcile(callbook.parts)
        await callbook.settle()
        clock.advance(10)
    assert len((await list_stored(callbook))[1]) == len(portal.state.statistics)


async def test_a_hint_at_statistics_that_never_end_takes_a_share_too(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    fill(portal, range(1, 100))
    await install(callbook, portal)
    clock.advance(SLICE_S)
    await callbook.run_sql("UPDATE portals SET lookup_wanted_at = 1")
    fill(portal, range(100, 3_000))
    await look_up(callbook.parts)
    looking: asyncio.Task[object] = asyncio.create_task(callbook.settle())
    assert await go_on_for_ever(stand_in, portal, clock, looking) <= 3


async def test_a_portal_has_the_rows_of_a_minute_and_no_more_in_its_history_and_after_it(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_share, "ROWS_A_MINUTE", 1_000)
    most = 1_000 + 2_500  # The current batch is read to its end.
    fill(portal, range(1, 10_001))
    await install(callbook, portal)
    stored = [len((await list_stored(callbook))[1])]
    while stored[-1] < len(portal.state.statistics):
        for _ in range(3):  # All within a minute.
            await read_histories(callbook.parts)
            await callbook.settle()
        stored.append(len((await list_stored(callbook))[1]))
        clock.advance(SLICE_S)
    assert len(stored) >= 10_000 // most
    assert max(after - before for before, after in zip([0, *stored], stored, strict=False)) <= most
    await reconcile(callbook.parts)
    await callbook.settle()
    fill(portal, range(10_001, 18_001))
    while stored[-1] < len(portal.state.statistics):
        clock.advance(SLICE_S)
        await want_reads(callbook.parts.database, [(await read_portal(portal)).id], clock.now())
        for _ in range(3):
            await reconcile(callbook.parts)
            await callbook.settle()
        stored.append(len((await list_stored(callbook))[1]))
        assert stored[-1] - stored[-2] <= most


def test_a_minute_s_rows_are_many_times_what_a_portal_is_called_in_it() -> None:
    busiest_day = 200_000
    assert 100 * busiest_day // (24 * 60) < ROWS_A_MINUTE


async def test_portals_that_hold_all_places_keep_no_lost_call_of_another_from_being_found(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "READ", Kind(name="read", places=1))
    monkeypatch.setattr(turns, "QUICK_S", 0.0)
    honest = stand_in.portals[1]
    hostile = [stand_in.portals[0], await stand_in.add_portal()]
    for portal in (*hostile, honest):
        await install(callbook, portal)
    gates = [stand_in.hold("batch", portal=portal) for portal in hostile]
    clock.advance(SLICE_S)
    lost = await honest.end_call(lose=True)
    portal_ids = [(await read_portal(portal)).id for portal in (*hostile, honest)]
    await want_reads(callbook.parts.database, portal_ids, clock.now())
    async with asyncio.timeout(PATIENCE_S):
        await reconcile(callbook.parts)
        for gate in gates:
            await gate.reached()
        await wait_until(lambda: is_logged(callbook, lost.call_id))
    stand_in.heal()
    await callbook.settle()


async def test_calls_that_are_opened_ask_a_portal_that_does_not_answer_a_few_at_a_time(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "LOOK_S", 0.0)
    fill(portal, range(1, 20))
    found = await install(callbook, portal)
    gate, reading = stand_in.hold("batch", portal=portal), callbook.parts.reconciliation
    for number in range(1, 11):
        assert not await reading.read_call(found, f"call.{number}")
    async with asyncio.timeout(PATIENCE_S):
        await gate.reached(OF_CALLS.per_portal)
    gate.release()
    await callbook.settle()
    assert gate.arrivals == OF_CALLS.per_portal
    gate = stand_in.hold("batch", portal=portal)
    await reading.read_call(found, "call.11")
    async with asyncio.timeout(PATIENCE_S):
        await gate.reached()
    gate.release()
    await callbook.settle()


@pytest.mark.parametrize("is_whole", [False, True])
async def test_a_read_whose_turn_is_cut_off_gives_its_lease_back_and_misses_nothing(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock, *, is_whole: bool
) -> None:
    """The cut-off read is a history, or the read of new rows after it, at the batch that its portal holds
    back.
    """
    fill(portal, range(1, 100))
    found, parts = await install(callbook, portal), callbook.parts
    if not is_whole:
        await callbook.run_sql("DELETE FROM statistics_marks")
    gate = stand_in.hold("batch", portal=portal)
    fill(portal, range(100, 3_000))
    clock.advance(SLICE_S)
    read: Coroutine[None, None, object] = (
        parts.reconciliation.read(found) if is_whole else parts.histories.run_slice(found)
    )
    reading = asyncio.create_task(read)
    async with asyncio.timeout(PATIENCE_S):
        await gate.reached()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    mark = await read_mark(portal)
    assert (mark.claimed_until, mark.failures, mark.read_up_to is not None) == (0, 0, is_whole)
    gate.release()
    stand_in.heal()
    for _ in range(20):
        clock.advance(SLICE_S)
        await read_histories(parts)
        await want_reads(parts.database, [found.id], clock.now())
        await reconcile(parts)
        await callbook.settle()
    assert len((await list_stored(callbook))[1]) == len(portal.state.statistics)
