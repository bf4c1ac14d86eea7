"""The mark under several readers, or failures: it neither goes back nor stands still."""

import asyncio
from contextlib import suppress

from app.calls.statistics.forward_read import PortalRestsError
from app.calls.statistics.progress.read_schedule import HOUR_S
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.scheduler import look_up, read_histories, reconcile
from tests.calls.statistics_rows import (
    STARTED_AT,
    fill,
    install,
    list_stored,
    make_row,
    read_mark,
    read_portal,
)
from tests.running import Callbook, FakeClock


async def take_turn(callbook: Callbook) -> None:
    await reconcile(callbook.parts)
    await callbook.settle()


async def test_a_failure_does_not_undo_what_another_reader_completed(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    installed = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    fill(portal, range(1, 4))
    gate = stand_in.hold("batch", when="before", portal=portal, times=1)
    first_slice = asyncio.create_task(callbook.parts.histories.run_slice(installed))
    await gate.reached()
    assert (await callbook.parts.histories.catch_up(installed)).history == "complete"
    stand_in.fail("batch", code="internal_server_error", portal=portal)
    gate.release()
    assert await first_slice is None
    mark = await read_mark(portal)
    assert (mark.history_state, mark.failures) == ("complete", 0)


async def test_a_mark_with_nothing_left_to_read_becomes_complete(
    callbook: Callbook, portal: StandInPortal
) -> None:
    fill(portal, range(1, 4))
    await install(callbook, portal)
    await callbook.run_sql("UPDATE statistics_marks SET history_state = 'failed', failures = 1")
    await read_histories(callbook.parts)
    await callbook.settle()
    mark = await read_mark(portal)
    assert (mark.history_state, mark.failures, mark.claimed_until) == ("complete", 0, 0)


async def test_a_read_that_began_before_the_last_one_lowers_nothing(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    installed = await install(callbook, portal)
    gate = stand_in.hold("batch", portal=portal, times=1)
    slow = asyncio.create_task(callbook.parts.histories.catch_up(installed))
    await gate.reached()
    clock.advance(100)
    assert (await callbook.parts.histories.catch_up(installed)).complete_up_to == clock.now()
    gate.release()
    assert (await slow).complete_up_to == clock.now()


async def test_a_call_dated_far_ahead_does_not_make_every_read_a_full_one(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    clock.at = STARTED_AT + 31 * 86_400
    portal.state.statistics.append(make_row(1, started_at=clock.now() + 5 * 365 * 86_400))
    fill(portal, range(2, 1_001))
    installed = await install(callbook, portal)
    assert (await callbook.parts.histories.catch_up(installed, is_full=False)).rows == 200


async def test_a_look_that_failed_is_made_up_for_and_asks_less_and_less(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await install(callbook, portal)
    fill(portal, [1])
    clock.advance(60)
    rule = stand_in.fail("batch", network="drop", portal=portal)
    await callbook.parts.lookups.want(await read_portal(portal))
    await callbook.settle()
    for _ in range(30):
        clock.advance(61)
        await look_up(callbook.parts)
        await callbook.settle()
        await take_turn(callbook)
    assert (await read_mark(portal)).failures < 5
    rule.cancel()
    clock.advance(1_200)
    await take_turn(callbook)
    assert await list_stored(callbook) == (["call.1"], [1])
    assert not (await read_portal(portal)).is_lookup_wanted


async def test_hints_at_calls_cost_no_more_refreshes_than_the_schedule_allows(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    """The portal's token for events never came, so each call is only a hint."""
    await install(callbook, portal)
    for number in range(1, 25):
        clock.advance(HOUR_S)
        fill(portal, [number])
        await callbook.parts.lookups.want(await read_portal(portal))
        await callbook.settle()
        await look_up(callbook.parts)
        await callbook.settle()
        await take_turn(callbook)
    assert 0 < portal.counts["oauth.refresh"] <= 4
    assert len((await list_stored(callbook))[1]) >= 18


async def test_a_forward_read_that_the_portal_cuts_off_goes_on_where_it_was(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    clock.at = STARTED_AT + 31 * 86_400
    fill(portal, range(1, 60))
    installed = await install(callbook, portal)
    portal.execution_s = 2.0
    clock.advance(60)
    fill(portal, range(60, 15_000))
    high_ids = [(first := await read_mark(portal)).high_id]
    while high_ids[-1] < 14_999:
        with suppress(PortalRestsError):
            await callbook.parts.histories.catch_up(installed)
        mark = await read_mark(portal)
        assert mark.high_id > high_ids[-1]
        high_ids.append(mark.high_id)
        is_at_the_end = mark.high_id == 14_999
        assert (mark.read_up_to == first.read_up_to) is not is_at_the_end
        clock.advance(700)
    assert len(high_ids) > 2
    assert len((await list_stored(callbook))[1]) == 14_999


async def test_another_owner_of_the_token_begins_the_history_again(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    """The next administrator may not see all that the last one's rights showed."""
    fill(portal, range(500, 600))
    former = await install(callbook, portal)
    portal.state.statistics[:0] = [make_row(number) for number in range(1, 200)]
    clock.advance(4000)
    portal.operator.is_admin = True
    assert (await portal.install(callbook.url, user=portal.operator)).status_code == 200
    await callbook.settle()
    await read_histories(callbook.parts)
    await callbook.settle()
    now = await read_portal(portal)
    assert now.generation == former.generation
    assert now.token_user_id != former.token_user_id
    mark = await read_mark(portal)
    assert (mark.token_user_id, mark.history_state) == (now.token_user_id, "complete")
    assert len((await list_stored(callbook))[1]) == 299
