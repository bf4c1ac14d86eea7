"""Calls that no event told of are found: on evidence, and on schedule."""

import asyncio

import pytest

from app.calls.statistics.progress import read_schedule
from app.calls.statistics.progress.evidence import Evidence
from app.calls.statistics.progress.evidence_queries import want_reads
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.storage.sqlite_engine import KeptSQLiteEngine
from tests.calls.statistics.reconciling import DAY, HOUR, install_and_read, is_logged, turn
from tests.calls.statistics_rows import install, read_portal
from tests.conftest import GENEROUS
from tests.running import Callbook, FakeClock, run_callbook
from tests.web.browsing import open_tab


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


@pytest.mark.quick
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
    assert portal.counts["batch"] == asked  # Once a minute at most.
    assert portal.counts["oauth.refresh"] == 0


async def test_an_event_that_is_rejected_or_undecodable_is_made_up_for(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    clock.advance(60)
    portal.installation.application_token = "another"  # As after an update without an event.
    rejected = await portal.end_call()
    assert rejected.response.status_code == 403
    await turn(callbook)
    assert await is_logged(callbook, rejected.call_id)
    asked = portal.counts["batch"]
    for _ in range(5):
        clock.advance(60)
        assert (await portal.end_call()).response.status_code == 403
        await turn(callbook)
    assert portal.counts["batch"] == asked  # A stranger that knows a member_id causes one read an hour.


@pytest.mark.quick
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


@pytest.mark.quick
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
    """Its successor finds a heartbeat that may be another process's, until it grows old."""
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
