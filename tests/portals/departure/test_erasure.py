"""The data that an uninstall leaves, and the time at which the rest of it goes."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.storage import deletion
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.departure import erasure
from app.portals.departure.erasure import CALLS_KEPT_S
from app.scheduler import erase_due, sweep
from tests.conftest import GENEROUS
from tests.portals.departure.gate import Gate
from tests.portals.departure.leftovers import assert_nothing_is_left
from tests.portals.portal_rows import count, read_portal
from tests.running import Callbook, FakeClock, run_callbook


@pytest.mark.parametrize("is_clean", [False, True])
async def test_however_many_people_a_portal_lists_no_transaction_of_its_end_is_a_long_one(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch, *, is_clean: bool
) -> None:
    monkeypatch.setattr(deletion, "ROWS_A_STEP", 2)
    engine, begin = callbook.parts.database.engine, callbook.parts.database.engine.immediate_transaction
    tables = ("people", "departments", "department_members", "structures", "undecodable_events")
    falls: list[int] = []

    async def count_all() -> int:
        return sum([await count(callbook, table) for table in tables])

    @asynccontextmanager
    async def transaction() -> AsyncIterator[None]:
        before = await count_all()
        async with begin():
            yield
        falls.append(before - await count_all())

    assert await count_all() > 10
    monkeypatch.setattr(engine, "immediate_transaction", transaction)
    await installed.uninstall(clean=is_clean)
    await callbook.settle()
    assert await count_all() == 0
    assert max(falls) <= 2


@pytest.mark.quick
async def test_proven_without_clean_keeps_calls_for_30_days(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock
) -> None:
    await installed.uninstall(clean=False)
    await callbook.settle()
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["access_token"], row["refresh_token"]) == ("uninstalled", None, None)
    assert row["application_token_hash"] is None
    assert await count(callbook, "calls") == 1
    clock.advance(CALLS_KEPT_S - 1)
    await erase_due(callbook.parts)
    await callbook.settle()
    assert await count(callbook, "calls") == 1
    clock.advance(1)
    await erase_due(callbook.parts)
    await callbook.settle()
    await assert_nothing_is_left(callbook)


async def test_what_goes_at_once_is_gone_when_it_is_answered(
    callbook: Callbook, installed: StandInPortal
) -> None:
    await installed.uninstall(clean=False)
    row = await read_portal(callbook, installed.member_id)
    secrets = ("access_token", "refresh_token", "application_token_hash")
    assert [row[name] for name in secrets] == [None] * len(secrets)
    assert [await count(callbook, table) for table in ("people", "undecodable_events")] == [0, 0]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (erasure, "erase_some_uninstalled_exchanges"),
        (queries, "bury"),
        (queries, "delete_buried"),
        (Database, "overwrite_deleted"),
    ],
)
async def test_the_answer_waits_for_nothing_that_takes_long(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    held = callbook.parts.database if owner is Database else owner
    gate = Gate(getattr(held, name))
    monkeypatch.setattr(held, name, gate)
    answer = await installed.uninstall(clean=True)
    assert answer is not None
    assert answer.status_code == 200
    await gate.reached.wait()
    gate.opened.set()
    await callbook.settle()
    await assert_nothing_is_left(callbook)


async def test_the_vendor_forgets_an_installed_and_an_uninstalled_portal(
    callbook: Callbook, installed: StandInPortal, stand_in: StandIn
) -> None:
    other = stand_in.portals[1]
    other.add_app()
    await other.install(callbook.url)
    await callbook.settle()
    await other.uninstall(clean=False)
    await callbook.settle()
    assert (await other.open_page("/install")).status_code == 403
    for portal in await queries.list_portals():
        await callbook.parts.erasure.forget(portal)
    await assert_nothing_is_left(callbook)


async def test_a_portals_request_log_is_found_by_an_index(callbook: Callbook) -> None:
    """Without the index each erasure would read the log of all portals."""
    database = callbook.parts.database
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    async with database.transaction():
        if not database.is_sqlite:
            # Else the planner reads the whole table, because it is empty.
            await database.run("SET LOCAL enable_seqscan = off")
        plan = await database.run(f"{explain} DELETE FROM rest_exchanges WHERE member_id = 'a'")
    assert "rest_exchanges_member" in str(plan)


@pytest.mark.quick
@pytest.mark.parametrize("has_reader", [False, True])
async def test_erased_bytes_are_in_no_file(
    sqlite_url: str, stand_in: StandIn, clock: FakeClock, *, has_reader: bool
) -> None:
    """Not even if another process, such as a backup, reads the file: then they are gone after the next
    sweep.
    """
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    files = [path, path.with_name(path.name + "-wal")]
    portal = stand_in.portals[0]
    portal.add_app()
    async with run_callbook(sqlite_url, stand_in, clock, GENEROUS) as callbook:
        await portal.install(callbook.url)
        await callbook.settle()
        for index in range(50):
            await portal.end_call(phone_number=f"+442079460{index:03}")
        traces = (b"+442079460", portal.member_id.encode())
        assert all(any(trace in file.read_bytes() for file in files) for trace in traces)
        if has_reader:
            await _uninstall_beside_a_reader(callbook, portal, path)
            assert any(trace in file.read_bytes() for file in files for trace in traces)
            await sweep(callbook.parts)
        else:
            await portal.uninstall(clean=True)
            await callbook.settle()
        assert not any(trace in file.read_bytes() for file in files for trace in traces)


async def _uninstall_beside_a_reader(callbook: Callbook, portal: StandInPortal, path: Path) -> None:
    reader = sqlite3.connect(path)
    try:
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM calls").fetchall() == [(50,)]
        await portal.uninstall(clean=True)
        await callbook.settle()
        assert await count(callbook, "calls") == 0
        assert reader.execute("SELECT COUNT(*) FROM calls").fetchall() == [(50,)]
    finally:
        reader.close()
