"""What no event told is found: on evidence, on schedule, and within the budget of refreshes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from app.calls.statistics import reconciliation
from app.calls.statistics.fetch import turn_share
from app.calls.statistics.progress import read_schedule
from app.calls.statistics.progress.claims import CLAIM_S
from app.calls.statistics.progress.evidence import Evidence
from app.calls.statistics.progress.evidence_queries import want_reads
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.fairness.turns import Kind
from app.kit.storage.sqlite_engine import KeptSQLiteEngine
from app.portals.outbound.access import PortalNotConnectedError
from app.scheduler import reconcile, run_job
from tests.calls.statistics_rows import fill, install, list_stored, make_row, read_mark, read_portal
from tests.conftest import GENEROUS
from tests.running import Callbook, FakeClock, run_callbook
from tests.web.browsing import open_tab

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


async def turn(callbook: Callbook) -> None:
    """What happens within ten seconds: notes are written, the scheduler has its turn."""
    await callbook.parts.evidence.flush()
    await run_job(callbook.parts, "one", reconcile)
    await callbook.settle()


async def install_and_read(callbook: Callbook, portal: StandInPortal) -> None:
    """Installed, and the first read of what is new is done."""
    await install(callbook, portal)
    await turn(callbook)
    assert (await read_mark(portal)).looked_at is not None


async def is_logged(callbook: Callbook, call_id: str) -> bool:
    return call_id in (await list_stored(callbook))[0]


async def read_call(callbook: Callbook, call_id: str) -> dict[str, Any]:
    (row,) = await callbook.run_sql(f"SELECT * FROM calls WHERE call_id = '{call_id}'")
    return row


async def test_without_evidence_nothing_is_read_before_its_time(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    lost = await portal.end_call(lose=True)
    before = portal.counts["batch"]
    clock.advance(read_schedule.SHORTEST_S)
    await turn(callbook)
    assert portal.counts["batch"] == before
    clock.advance(DAY)
    await turn(callbook)
    assert await is_logged(callbook, lost.call_id)


async def test_an_admin_who_opens_the_tab_brings_what_was_lost_without_a_refresh(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(3 * HOUR)
    lost = await portal.end_call(lose=True)
    await open_tab(callbook, portal, portal.operator.id)
    await callbook.settle()
    assert not await is_logged(callbook, lost.call_id)
    await open_tab(callbook, portal)
    await callbook.settle()
    assert await is_logged(callbook, lost.call_id)
    asked = portal.counts["batch"]
    await open_tab(callbook, portal)
    await callbook.settle()
    assert portal.counts["batch"] == asked  # Within a minute once.
    assert portal.counts["oauth.refresh"] == 0


async def test_an_event_that_is_rejected_or_undecodable_is_made_up_for(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(60)
    portal.installation.application_token = "another"  # As after an update of which nothing told.
    rejected = await portal.end_call()
    assert rejected.response.status_code == 403
    await turn(callbook)
    assert await is_logged(callbook, rejected.call_id)
    asked = portal.counts["batch"]
    for _ in range(5):
        clock.advance(60)
        assert (await portal.end_call()).response.status_code == 403
        await turn(callbook)
    assert portal.counts["batch"] == asked  # Whoever knows a member_id causes one read an hour.


async def test_an_undecodable_event_is_made_up_for(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(60)
    odd = await portal.end_call(data={"CALL_DURATION": "long"})
    assert not await is_logged(callbook, odd.call_id)
    await turn(callbook)
    assert await is_logged(callbook, odd.call_id)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_event_that_could_not_be_stored_is_made_up_for(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(60)
    engine = callbook.parts.database.engine
    assert isinstance(engine, KeptSQLiteEngine)
    assert engine.writer is not None
    await engine.writer.execute("PRAGMA query_only = 1")
    turned_away = await portal.end_call()
    assert turned_away.response.status_code == 503
    await callbook.parts.evidence.flush()
    await engine.writer.execute("PRAGMA query_only = 0")
    await turn(callbook)
    assert await is_logged(callbook, turned_away.call_id)


async def test_after_a_downtime_every_portal_is_read(
    database_url: str, stand_in: StandIn, clock: FakeClock
) -> None:
    async with run_callbook(database_url, stand_in, clock, GENEROUS) as callbook:
        for portal in stand_in.portals:
            await install(callbook, portal)
        await turn(callbook)
    clock.advance(read_schedule.READ_EVERY_S)
    lost = [await portal.end_call(lose=True) for portal in stand_in.portals]
    async with run_callbook(database_url, stand_in, clock, GENEROUS) as callbook:
        await turn(callbook)
        assert [await is_logged(callbook, call.call_id) for call in lost] == [True, True]
    assert stand_in.counts["oauth.refresh"] == 0


async def test_a_process_that_was_killed_and_started_again_at_once_is_noticed(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    """Its successor finds a heartbeat that might be another process's, until it grows old."""
    await install_and_read(callbook, portal)
    killed = Evidence(callbook.parts.database, clock)
    await killed.beat()
    lost = await portal.end_call(lose=True)
    clock.advance(3)
    await callbook.parts.evidence.beat()
    await turn(callbook)
    assert not await is_logged(callbook, lost.call_id)
    for _ in range(6):
        clock.advance(10)
        await callbook.parts.evidence.beat()
        await turn(callbook)
    assert await is_logged(callbook, lost.call_id)
    asked = portal.counts["batch"]
    clock.advance(10)
    await callbook.parts.evidence.beat()
    await turn(callbook)
    assert portal.counts["batch"] == asked


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


async def live(callbook: Callbook, clock: FakeClock, portals: Sequence[StandInPortal], days: int) -> None:
    """Calls every two hours, half of them in the first portal only, some of whose events get lost."""
    for hour in range(0, days * 24, 2):
        await portals[0].end_call(lose=hour % 20 == 0)
        if hour % 24 == 0:
            await portals[1].end_call(lose=True)
        for _ in range(12):
            clock.advance(600)
            await turn(callbook)


async def test_a_week_costs_four_refreshes_a_day_and_fewer_where_little_is_called(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    busy, quiet = stand_in.portals
    for portal in (busy, quiet):
        await install(callbook, portal)
    await live(callbook, clock, (busy, quiet), days=7)
    assert 14 <= busy.counts["oauth.refresh"] <= 28
    assert 6 <= quiet.counts["oauth.refresh"] <= 8
    clock.advance(DAY)
    await turn(callbook)
    calls = await callbook.run_sql("SELECT call_id FROM calls WHERE is_confirmed")
    shown = {row.call_id for portal in (busy, quiet) for row in portal.state.statistics}
    assert {row["call_id"] for row in calls} == shown


async def test_an_admins_page_an_hour_costs_no_refresh_at_all(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    for _ in range(24):
        clock.advance(HOUR)
        lost = await portal.end_call(lose=True)
        await open_tab(callbook, portal)
        await turn(callbook)
        assert await is_logged(callbook, lost.call_id)
    assert portal.counts["oauth.refresh"] == 0


async def test_pages_that_show_somebody_unknown_buy_no_pair_beyond_the_four_a_day(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    """Another administrator's page shows all calls, and brings no pair of the owner's."""
    await install_and_read(callbook, portal)
    portal.operator.is_admin = True
    for hour in range(24):
        clock.advance(HOUR)
        await portal.end_call(user_id=9_000 + hour)
        tab = await open_tab(callbook, portal, portal.operator.id)
        assert (await tab.get("/log/rows")).status_code == 200
        await turn(callbook)
    assert 1 < portal.counts["oauth.refresh"] <= 4


async def test_two_admins_who_open_the_tab_in_turn_cause_no_whole_read(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    fill(portal, range(1, 600))
    await install_and_read(callbook, portal)
    portal.operator.is_admin = True
    owner_id = (await read_portal(portal)).token_user_id
    rows_done = (await read_mark(portal)).rows_done
    for admin in (portal.operator, portal.admin, portal.operator):
        clock.advance(3 * HOUR)
        await open_tab(callbook, portal, admin.id)
        await turn(callbook)
        mark = await read_mark(portal)
        assert (await read_portal(portal)).token_user_id == mark.token_user_id == owner_id
        assert (mark.history_state, mark.rows_done) == ("complete", rows_done)


async def test_a_portal_that_fails_is_asked_less_and_less_and_hinders_no_other(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    failing, fine = stand_in.portals
    for portal in (failing, fine):
        await install_and_read(callbook, portal)
    rule = stand_in.fail("voximplant.statistic.get", code="internal_server_error", portal=failing)
    clock.advance(DAY)
    lost = await fine.end_call(lose=True)
    asked = []
    for _ in range(18):
        await turn(callbook)
        asked.append(failing.counts["batch"])
        clock.advance(600)
    assert await is_logged(callbook, lost.call_id)
    attempts = len(set(asked))
    assert 4 <= attempts <= 7
    mark = await read_mark(failing)
    assert (mark.failure_code, mark.history_state) == ("internal_server_error", "complete")
    rule.cancel()
    clock.advance(6 * HOUR)
    await turn(callbook)
    assert (await read_mark(failing)).failures == 0


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
    """It takes one of the places; each other goes on with the rest, in this turn and in the next ones."""
    monkeypatch.setattr(reconciliation, "READ", Kind("read", places=2))
    slow = stand_in.portals[0]
    others = [stand_in.portals[1], await stand_in.add_portal(), await stand_in.add_portal()]
    for portal in (slow, *others):
        await install_and_read(callbook, portal)
    gate, asked = stand_in.hold("batch", portal=slow), slow.counts["batch"]
    for _ in range(2):
        clock.advance(read_schedule.READ_EVERY_S)
        portal_ids = [(await read_portal(portal)).id for portal in (slow, *others)]
        await want_reads(callbook.parts.database, portal_ids, clock.now())
        lost = [await portal.end_call(lose=True) for portal in others]
        async with asyncio.timeout(10):
            await run_job(callbook.parts, "one", reconcile)
            await gate.reached()
            while any([(await read_mark(portal)).looked_at != clock.now() for portal in others]):
                pass  # Once a read has ended, the next turn may begin another.
        assert all([await is_logged(callbook, call.call_id) for call in lost])
        assert slow.counts["batch"] == asked + 1
    gate.release()
    await callbook.settle()
    assert (await read_mark(slow)).claimed_until == 0


async def test_a_long_read_keeps_its_claim_and_what_it_has_done(
    callbook: Callbook,
    stand_in: StandIn,
    portal: StandInPortal,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process is killed in the end; another one goes on where it was."""
    monkeypatch.setattr(
        turn_share, "SLICE_S", 5 * CLAIM_S
    )  # Longer than a share lasts, but for late answers.
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
        clock.advance(CLAIM_S - 1)
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
    clock.advance(CLAIM_S)
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


async def test_who_lost_the_claim_gives_nothing_back(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(read_schedule.READ_EVERY_S)
    found, reading = await read_portal(portal), callbook.parts.reconciliation
    gates = [stand_in.hold("batch", when="before", portal=portal, times=1)]
    late = asyncio.create_task(reading.read(found))
    await gates[0].reached()
    clock.advance(CLAIM_S)
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


async def test_a_hint_that_is_looked_up_meanwhile_ends_nobody_s_claim(
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


async def test_evidence_that_never_ends_is_worth_a_read_a_minute(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    asked = portal.counts["batch"]
    portal_id = (await read_portal(portal)).id
    for _ in range(12):
        clock.advance(10)
        await want_reads(callbook.parts.database, [portal_id], clock.now())
        await turn(callbook)
    assert portal.counts["batch"] == asked + 2
    lost = await portal.end_call(lose=True)
    await want_reads(callbook.parts.database, [portal_id], clock.now())
    await turn(callbook)
    assert not await is_logged(callbook, lost.call_id)
    clock.advance(60)
    await turn(callbook)
    assert await is_logged(callbook, lost.call_id)


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


async def test_an_older_call_is_read_anew_when_somebody_opens_it(
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
    assert not await reading.read_call(found, "call.1")  # Not again within five minutes.
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


async def test_evidence_that_comes_while_a_portal_is_read_is_worth_another_read(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(60)
    await want_reads(callbook.parts.database, [(await read_portal(portal)).id], clock.now())
    gate = stand_in.hold("batch", portal=portal)
    reading = asyncio.create_task(turn(callbook))
    await gate.reached()
    clock.advance(5)
    lost = await portal.end_call(lose=True)
    await want_reads(callbook.parts.database, [(await read_portal(portal)).id], clock.now())
    gate.release()
    await reading
    assert not await is_logged(callbook, lost.call_id)
    clock.advance(read_schedule.READ_EVERY_S)
    await turn(callbook)
    assert await is_logged(callbook, lost.call_id)


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


async def test_work_that_began_for_one_owner_of_the_token_does_not_go_on_for_another(
    callbook: Callbook, portal: StandInPortal
) -> None:
    await install_and_read(callbook, portal)
    before = await read_portal(portal)
    await callbook.run_sql("UPDATE portals SET token_user_id = 99")
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(before, "profile", {})
