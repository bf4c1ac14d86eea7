"""Retention: old calls are removed with all that belongs to them, and are not brought back."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.calls.removal.retention import store_settings
from app.calls.store.call_queries import load_calls
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals.settings.portal_settings import PortalSettings
from app.portals.settings.settings_queries import hold_settings, save_settings
from app.scheduler import JOBS, read_histories, retain, sweep
from tests.blocking import begin_apart, wait_until_blocked
from tests.calls.statistics_rows import fill, install, make_row, read_mark, read_portal
from tests.running import Callbook, FakeClock
from tests.web.browsing import open_tab
from tests.web.logged_calls import insert_calls
from tests.web.settings_forms import post_settings

DAY_S = 86_400
NUMBER = "+12025550177"


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


async def keep(callbook: Callbook, portal_id: int, months: int | None) -> None:
    settings = msgspec.structs.replace(PortalSettings(), retention_months=months)
    assert await save_settings(portal_id, settings, 1, callbook.parts.clock.now(), callbook.parts.database)


async def tab_sync(callbook: Callbook, portal: StandInPortal) -> Any:
    return (await (await open_tab(callbook, portal)).get("/api/v1/sync")).json()


async def list_ids(callbook: Callbook, table: str = "calls") -> list[object]:
    rows = await callbook.run_sql(f"SELECT call_id FROM {table} ORDER BY started_at, call_id")
    return [row["call_id"] for row in rows]


@pytest.mark.quick
async def test_older_calls_go_with_their_legs_and_undecodable_events(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    old = clock.now() - 40 * DAY_S
    portal.state.statistics += [
        make_row(1, call_id="a", started_at=old),
        make_row(2, call_id="a", started_at=old + 5),
    ]
    portal.state.statistics += [make_row(number, started_at=clock.now() - number) for number in (3, 4)]
    found = await install(callbook, portal)
    await portal.end_call(data={"CALL_DURATION": "long"})
    await callbook.run_sql(f"UPDATE undecodable_events SET received_at = {old}")
    await portal.end_call(data={"CALL_DURATION": "longer"})
    await keep(callbook, found.id, 1)
    await retain(callbook.parts)
    await callbook.settle()
    assert await list_ids(callbook) == ["call.4", "call.3"]
    assert await list_ids(callbook, "call_legs") == ["call.4", "call.3"]
    assert len(await callbook.run_sql("SELECT id FROM undecodable_events")) == 1
    assert retain in {job for job, _ in JOBS}


async def test_more_than_a_step_holds_and_nobody_elses(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    mine, theirs = [await install(callbook, portal) for portal in stand_in.portals]
    old = clock.now() - 100 * DAY_S
    await insert_calls(mine.id, *({"call_id": f"m{number}", "started_at": old} for number in range(650)))
    await insert_calls(theirs.id, {"call_id": "theirs", "started_at": old})
    await keep(callbook, mine.id, 3)
    assert await callbook.parts.retention.purge(mine.id) == 650
    assert await list_ids(callbook) == ["theirs"]
    await keep(callbook, mine.id, None)
    assert await callbook.parts.retention.purge(mine.id) == 0


async def test_neither_history_nor_reconciliation_brings_them_back(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    fill(portal, range(1, 60))
    portal.state.statistics += [make_row(60, started_at=clock.now() - 5)]
    found = await install(callbook, portal)
    await keep(callbook, found.id, 1)
    await retain(callbook.parts)
    await callbook.settle()
    assert await list_ids(callbook) == ["call.60"]
    mark_before = await callbook.run_sql("SELECT * FROM statistics_marks")
    await callbook.parts.histories.catch_up(await read_portal(portal), is_full=True)
    assert await list_ids(callbook) == ["call.60"]
    await callbook.run_sql("DELETE FROM statistics_marks")
    await callbook.parts.histories.run_slice(await read_portal(portal))
    assert await list_ids(callbook) == ["call.60"]
    mark = await callbook.run_sql("SELECT * FROM statistics_marks")
    assert (mark[0]["history_state"], mark[0]["high_id"]) == ("complete", mark_before[0]["high_id"])


@pytest.mark.quick
async def test_a_longer_time_has_what_the_shorter_one_left_out_read_again(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    """The calls may stand anywhere in the statistics: a call can be registered long after it began."""
    old = [clock.now() - 100 * DAY_S, clock.now() - 300 * DAY_S]
    portal.state.statistics += [make_row(number, started_at=old[1]) for number in range(1, 60)]
    portal.state.statistics += [make_row(number, started_at=clock.now() - 5) for number in range(60, 300)]
    portal.state.statistics += [make_row(300, started_at=old[0])]
    await install(callbook, portal)
    tab = await open_tab(callbook, portal)
    assert (await post_settings(tab, retention_months="1", confirm_removal="1")).status_code == 200
    await retain(callbook.parts)
    await callbook.settle()
    before = await list_ids(callbook)
    assert len(before) == 240
    clock.advance(3600)
    await open_tab(callbook, portal)
    await callbook.settle()
    assert (await tab_sync(callbook, portal))["history"]["state"] == "complete"
    tab = await open_tab(callbook, portal)
    await post_settings(tab, retention_months="1", employees_see="all")
    assert (await tab_sync(callbook, portal))["history"]["state"] == "complete"
    await post_settings(tab, retention_months="6")
    sync = await tab_sync(callbook, portal)
    assert (sync["history"]["state"], sync["complete_up_to"]) == ("pending", None)
    await read_histories(callbook.parts)
    await callbook.settle()
    assert await list_ids(callbook) == ["call.300", *before]
    sync = await tab_sync(callbook, portal)
    assert (sync["history"], sync["complete_up_to"] is None) == (
        {"state": "complete", "done": 300, "total": 300},
        False,
    )
    tab = await open_tab(callbook, portal)
    await post_settings(tab, retention_months="")
    await read_histories(callbook.parts)
    await callbook.settle()
    assert len(await list_ids(callbook)) == 300


async def test_a_read_while_the_time_is_lengthened_promises_nothing(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    """The shorter time cut the rows that the reader has read."""
    old = clock.now() - 100 * DAY_S
    portal.state.statistics += [make_row(number, started_at=old) for number in range(1, 200)]
    found = await install(callbook, portal)
    await keep(callbook, found.id, 1)
    await retain(callbook.parts)
    await callbook.settle()
    await callbook.run_sql("UPDATE statistics_marks SET history_state = 'running', low_id = 150")
    gate = stand_in.hold("batch", portal=portal, times=1)
    reading = asyncio.create_task(callbook.parts.histories.run_slice(found))
    await gate.reached()
    longer = PortalSettings(retention_months=12)
    assert await store_settings(found, longer, 1, clock.now(), callbook.parts.database)
    gate.release()
    assert await reading is None
    assert (await read_mark(portal)).history_state == "pending"
    await read_histories(callbook.parts)
    await callbook.settle()
    assert len(await list_ids(callbook)) == 199


async def test_a_purge_heeds_a_longer_time_at_once(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    found = await install(callbook, portal)
    old = clock.now() - 100 * DAY_S
    await insert_calls(found.id, *({"call_id": f"m{number}", "started_at": old} for number in range(5)))
    await keep(callbook, found.id, 1)
    database = callbook.parts.database
    async with database.transaction():
        await hold_settings(found.id, database)
        purge = begin_apart(callbook.parts.retention.purge(found.id))
        await wait_until_blocked(database, purge, "portal_settings")
        await keep(callbook, found.id, 12)
    assert await purge == 0
    assert len(await list_ids(callbook)) == 5


async def test_events_are_stored_while_a_purge_goes_on(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    found = await install(callbook, portal)
    old = clock.now() - 100 * DAY_S
    await insert_calls(found.id, *({"call_id": f"m{number}", "started_at": old} for number in range(900)))
    await keep(callbook, found.id, 1)
    purge = asyncio.create_task(callbook.parts.retention.purge(found.id))
    ended = await asyncio.gather(*(portal.end_call() for _ in range(5)))
    assert [call.responses[0].status_code for call in ended] == [200] * 5
    assert await purge == 900
    assert len(await list_ids(callbook)) == 5


async def test_a_purge_and_a_read_hold_calls_in_one_order(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    """In two orders they would wait for each other, and one of them would fail."""
    found = await install(callbook, portal)
    old = clock.now() - 100 * DAY_S
    later, oldest = {"call_id": "a", "started_at": old + 1}, {"call_id": "b", "started_at": old}
    await insert_calls(found.id, later, oldest)
    await keep(callbook, found.id, 1)
    database = callbook.parts.database
    async with database.transaction():
        await load_calls(database, [(found.id, "a")])
        purge = begin_apart(callbook.parts.retention.purge(found.id))
        await wait_until_blocked(database, purge, "FOR UPDATE")
        assert len(await load_calls(database, [(found.id, "a"), (found.id, "b")])) == 2
    assert await purge == 2


async def test_bytes_of_removed_calls_are_in_no_file(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    if not callbook.parts.database.is_sqlite:
        pytest.skip("PostgreSQL frees them by VACUUM (decision 0004)")
    found = await install(callbook, portal)
    await insert_calls(found.id, {"phone_number": NUMBER, "started_at": clock.now() - 100 * DAY_S})
    await keep(callbook, found.id, 1)
    await retain(callbook.parts)
    await callbook.settle()
    await sweep(callbook.parts)
    path = Path(callbook.parts.database.url.removeprefix("sqlite:///"))
    for file in path.parent.glob(f"{path.name}*"):
        assert NUMBER.encode() not in file.read_bytes()
