"""An erasure goes on after any interruption: a kill, an installation, another erasure."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.absence.uninstall_queries import CHECK_LEASE_S, note_uninstall
from app.portals.departure.erasure import CALLS_KEPT_S, Calls, Erasure
from app.portals.news import Changes
from app.scheduler import check_uninstalls, erase_due, sweep
from tests.blocking import begin_apart, wait_until_blocked
from tests.portals.departure.gate import Gate
from tests.portals.departure.leftovers import assert_nothing_is_left
from tests.portals.portal_rows import count, read_portal
from tests.running import Callbook, FakeClock


@pytest.mark.parametrize("step", ["finish", "_erase_calls", "sweep"])
async def test_the_scheduler_goes_on_where_a_kill_ended_it(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def be_killed(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(Erasure, step, be_killed)
        await installed.uninstall(clean=True)
        await callbook.settle()
    await erase_due(callbook.parts)
    await callbook.settle()
    await sweep(callbook.parts)
    await assert_nothing_is_left(callbook)
    assert await callbook.run_sql("SELECT * FROM facts WHERE name = 'overwrite_due'") == []


async def test_the_request_log_goes_after_a_kill_though_calls_are_kept(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_killed(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(Erasure, "finish", be_killed)
        await installed.uninstall(clean=False)
        await callbook.settle()
    assert await count(callbook, "rest_exchanges") > 0
    await sweep(callbook.parts)
    assert [await count(callbook, table) for table in ("rest_exchanges", "calls")] == [0, 1]


async def test_people_go_after_a_kill_though_calls_are_kept(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_killed(*_: object) -> None:
        raise asyncio.CancelledError

    row = await read_portal(callbook, installed.member_id)
    await note_uninstall(row["id"], row["generation"], clock.now(), is_clean=False)
    await installed.uninstall(send=False)
    with monkeypatch.context() as patch:
        patch.setattr(Erasure, "_erase_step", be_killed)
        with pytest.raises(asyncio.CancelledError):
            await callbook.parts.uninstaller.check(row["id"])
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["access_token"], row["refresh_token"]) == ("uninstalled", None, None)
    assert await count(callbook, "people") > 0
    clock.advance(CHECK_LEASE_S)
    await check_uninstalls(callbook.parts)
    await callbook.settle()
    left = [await count(callbook, table) for table in ("people", "undecodable_events", "uninstall_checks")]
    assert left == [0, 0, 0]
    assert await count(callbook, "calls") == 1


async def test_an_installation_between_two_steps_of_the_erasure_keeps_what_is_its_own(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await read_portal(callbook, installed.member_id)
    erase_step, gate = Erasure._erase_step, Gate(asyncio.sleep)  # noqa: SLF001
    steps: list[object] = []

    async def step(self: Erasure, *args: Any) -> bool:
        steps.append(args)
        if len(steps) == 2:
            await gate(0)
        return await erase_step(self, *args)

    monkeypatch.setattr(Erasure, "_erase_step", step)
    uninstalling = asyncio.create_task(installed.uninstall(clean=False))
    await gate.reached.wait()
    assert (await installed.install(callbook.url)).status_code == 200
    await callbook.settle()
    people = await count(callbook, "people")
    gate.opened.set()
    answer = await uninstalling
    assert answer is not None
    assert answer.status_code == 200
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["generation"]) == ("installed", before["generation"] + 2)
    assert await count(callbook, "people") == people > 0
    assert await count(callbook, "uninstall_checks") == 0


async def test_what_was_written_late_goes_with_the_calls(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock
) -> None:
    """A process that was suspended between its check and its write writes late."""
    portal_id = (await read_portal(callbook, installed.member_id))["id"]
    await installed.uninstall(clean=False)
    await callbook.settle()
    await callbook.run_sql(
        f"INSERT INTO people (portal_id, user_id, name, is_active) VALUES ({portal_id}, 1, 'x', TRUE)"
    )
    clock.advance(CALLS_KEPT_S)
    await erase_due(callbook.parts)
    await callbook.settle()
    await assert_nothing_is_left(callbook)


async def test_an_installation_before_the_erasure_begins_without_calls(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A portal that asked for the erasure of its calls does not get them back by a quick reinstallation."""
    before = await read_portal(callbook, installed.member_id)
    gate = Gate(callbook.parts.erasure.erase_if_due)
    monkeypatch.setattr(callbook.parts.erasure, "erase_if_due", gate)
    await installed.uninstall(clean=True)
    await gate.reached.wait()
    assert (await installed.install(callbook.url)).status_code == 200
    gate.opened.set()
    await callbook.settle()
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["id"] != before["id"]) == ("installed", True)
    assert await callbook.run_sql(f"SELECT id FROM calls WHERE portal_id = {before['id']}") == []
    assert await count(callbook, "portals") == 1


async def test_an_installation_while_the_old_row_is_buried_makes_another(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await read_portal(callbook, installed.member_id)
    await installed.uninstall(clean=False)
    await callbook.settle()
    database, transaction = callbook.parts.database, callbook.parts.database.transaction

    @asynccontextmanager
    async def bury_first() -> AsyncIterator[None]:
        monkeypatch.setattr(database, "transaction", transaction)
        assert await queries.bury(before["id"])
        async with transaction():
            yield

    monkeypatch.setattr(database, "transaction", bury_first)
    assert (await installed.install(callbook.url)).status_code == 200
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["id"] != before["id"]) == ("installed", True)


async def test_an_installation_and_a_burial_come_one_after_the_other(
    callbook: Callbook, installed: StandInPortal
) -> None:
    before = await read_portal(callbook, installed.member_id)
    await installed.uninstall(clean=False)
    await callbook.settle()
    database = callbook.parts.database
    async with database.transaction():
        assert await queries.bury(before["id"])
        installing = begin_apart(installed.install(callbook.url))
        await wait_until_blocked(database, installing, 'INTO "portals"')
    assert (await installing).status_code == 200
    assert (await read_portal(callbook, installed.member_id))["id"] != before["id"]


async def test_one_portal_that_fails_keeps_no_other_from_being_erased_or_asked_about(
    callbook: Callbook,
    stand_in: StandIn,
    installed: StandInPortal,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = stand_in.portals[1]
    other.add_app()
    await other.install(callbook.url)
    await callbook.settle()
    first, second = [row["id"] for row in await callbook.run_sql("SELECT id FROM portals ORDER BY id")]
    asked: list[int] = []
    erased: list[int] = []

    async def fail_for_the_first(portal_id: int, done: list[int]) -> None:
        done.append(portal_id)
        if portal_id == first:
            raise ValueError("its pair does not open")

    parts = callbook.parts
    for portal in (installed, other):
        await portal.uninstall_event()
    clock.advance(60)
    monkeypatch.setattr(parts.uninstaller, "check", lambda portal_id: fail_for_the_first(portal_id, asked))
    monkeypatch.setattr(
        parts.erasure, "erase_if_due", lambda portal_id: fail_for_the_first(portal_id, erased)
    )
    await callbook.run_sql("UPDATE portals SET state = 'uninstalled', erase_at = id")
    with capture_logs() as logs:
        await check_uninstalls(parts)
        await parts.background.drain(30)
        await erase_due(parts)
        await parts.background.drain(30)
    assert sorted(asked) == erased == [first, second]
    assert [entry["portal_id"] for entry in logs if entry["log_level"] == "error"] == [first, first]


async def test_every_process_hears_of_an_uninstall_that_any_of_them_finds(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock, listener: Changes
) -> None:
    portal_id = (await read_portal(callbook, installed.member_id))["id"]
    await installed.uninstall_event(clean=False)
    await installed.uninstall(send=False)
    clock.advance(60)
    async with listener.watch(portal_id) as there, callbook.parts.changes.watch(portal_id) as here:
        await check_uninstalls(callbook.parts)
        await callbook.settle()
        if listener.is_polling:
            await listener.check_file()
        await there.wait()
        await here.wait()


async def test_an_erasure_during_an_overwriting_is_overwritten_too(
    callbook: Callbook, installed: StandInPortal, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(callbook.parts.database.overwrite_deleted)
    monkeypatch.setattr(callbook.parts.database, "overwrite_deleted", gate)
    await installed.uninstall(clean=False)
    await gate.reached.wait()
    other = stand_in.portals[1]
    other.add_app()
    await other.install(callbook.url)
    portal = await queries.find_portal(other.member_id)
    assert portal is not None
    assert await callbook.parts.erasure.uninstall(portal, Calls.KEPT)
    gate.opened.set()
    await callbook.settle()
    assert len(await callbook.run_sql("SELECT * FROM facts WHERE name = 'overwrite_due'")) == 1
    await sweep(callbook.parts)
    assert await callbook.run_sql("SELECT * FROM facts WHERE name = 'overwrite_due'") == []
