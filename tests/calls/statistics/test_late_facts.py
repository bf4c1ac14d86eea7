"""Facts that come after a call are read minutes later, and when a user opens it."""

import pytest

from app.calls.statistics.progress import read_schedule
from app.demo.acts.stand_in_portal import StandInPortal
from app.portals.news import Changes
from tests.calls.statistics.reconciling import DAY, HOUR, install_and_read, read_call, turn
from tests.calls.statistics_rows import make_row, read_portal
from tests.running import Callbook, FakeClock


@pytest.mark.quick
async def test_what_comes_late_is_there_minutes_after_the_call_while_the_token_lives(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    ended = await portal.end_call()
    clock.advance(read_schedule.LATE_FACTS_S - 1)
    await turn(callbook)
    portal.change_row(ended.rows[0].id, record_file_id=7, vote=5, comment="Thanks")
    clock.advance(1)
    await turn(callbook)
    call = await read_call(callbook, ended.call_id)
    assert (bool(call["has_recording"]), call["vote"], call["comment"]) == (True, 5, "Thanks")
    clock.advance(HOUR)
    await portal.end_call()
    clock.advance(HOUR)
    asked = portal.counts["batch"]
    await turn(callbook)
    assert portal.counts["batch"] == asked
    assert portal.counts["oauth.refresh"] == 0


async def test_an_older_call_is_read_again_when_a_user_opens_it(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    old = clock.now() - 200 * DAY
    portal.state.statistics += [make_row(number, started_at=old) for number in range(1, 400)]
    await install_and_read(callbook, portal)
    portal.change_row(1, vote=2)
    found = await read_portal(portal)
    reading = callbook.parts.reconciliation
    assert await reading.read_call(found, "call.1")
    assert (await read_call(callbook, "call.1"))["vote"] == 2
    portal.change_row(1, vote=3)
    assert not await reading.read_call(found, "call.1")  # No second read within five minutes.
    assert not await reading.read_call(found, "call.2")  # Nothing has changed.
    clock.advance(2 * HOUR)
    assert not await reading.read_call(found, "call.1")  # It would cost a refresh too many.
    clock.advance(4 * HOUR)
    assert await reading.read_call(found, "call.1")
    assert (await read_call(callbook, "call.1"))["vote"] == 3
    assert portal.counts["oauth.refresh"] == 1
    portal.stand_in.fail("batch", network="drop", portal=portal)
    clock.advance(600)
    assert not await reading.read_call(found, "call.1")


async def test_every_process_hears_of_a_call_that_is_read_again(
    callbook: Callbook, portal: StandInPortal, listener: Changes
) -> None:
    portal.state.statistics.append(make_row(1))
    await install_and_read(callbook, portal)
    found = await read_portal(portal)
    portal.change_row(1, vote=2)
    async with listener.watch(found.id) as there, callbook.parts.changes.watch(found.id) as here:
        assert await callbook.parts.reconciliation.read_call(found, "call.1")
        if listener.is_polling:
            await listener.check_file()
        await there.wait()
        await here.wait()


async def test_what_comes_late_to_a_second_call_is_read_as_soon_as_that_of_the_first(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    await portal.end_call()
    await turn(callbook)
    clock.advance(read_schedule.LATE_FACTS_S - 100)
    second = await portal.end_call()
    await turn(callbook)
    clock.advance(100)
    await turn(callbook)
    portal.change_row(second.rows[0].id, vote=4)
    clock.advance(read_schedule.LATE_FACTS_S)
    await turn(callbook)
    assert (await read_call(callbook, second.call_id))["vote"] == 4
