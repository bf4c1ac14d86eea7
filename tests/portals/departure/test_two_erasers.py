"""Two erasers delete the same rows and the first one dies: no row that is left may count as erased.

Only on PostgreSQL: SQLite has one writer at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import asyncpg
import pytest

from app.demo.stand_in import StandIn
from app.kit.storage import deletion
from app.portals.outbound import exchange_queries
from app.scheduler import erase_due
from tests.blocking import wait_until_blocked
from tests.conftest import GENEROUS
from tests.portals.portal_rows import count
from tests.running import Callbook, FakeClock, run_callbook


@pytest.fixture
async def uninstalled(
    postgres_url: str, stand_in: StandIn, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callbook]:
    """An uninstalled portal whose three calls, their legs and its requests are to be erased, one row a
    step.
    """
    for module in (deletion, exchange_queries):
        monkeypatch.setattr(module, "ROWS_A_STEP", 1)
    portal = stand_in.portals[0]
    portal.add_app()
    async with run_callbook(postgres_url, stand_in, clock, GENEROUS) as callbook:
        await portal.install(callbook.url)
        await callbook.settle()
        for _ in range(3):
            await portal.end_call()
        await callbook.run_sql("UPDATE portals SET state = 'uninstalled', erase_at = 0, uninstalled_at = 1")
        await callbook.run_sql("UPDATE rest_exchanges SET at = 0")
        await callbook.run_sql(
            "INSERT INTO call_legs (portal_id, call_id, started_at, is_start_guessed, has_recording,"
            " has_transcript, received_at) SELECT portal_id, call_id, 0, FALSE, FALSE, FALSE, 0 FROM calls"
        )
        yield callbook


async def run_behind(
    callbook: Callbook, url: str, table: str, first: str, work: Coroutine[Any, Any, Any]
) -> Any:
    """Run the work while another connection has deleted the first row that it comes to; then that one
    commits.
    """
    other = await asyncpg.connect(url)
    try:
        async with other.transaction():
            await other.execute(f"DELETE FROM {table} WHERE id IN ({first})")
            working = asyncio.create_task(work)
            await wait_until_blocked(callbook.parts.database, working, f"DELETE FROM%{table}")
        return await working
    finally:
        await other.close()


async def erase(callbook: Callbook) -> None:
    await erase_due(callbook.parts)
    await callbook.settle()


@pytest.mark.parametrize("table", ["call_legs", "calls"])
async def test_an_eraser_that_waited_for_another_goes_on_with_the_rest(
    uninstalled: Callbook, postgres_url: str, table: str
) -> None:
    first = f"SELECT id FROM {table} WHERE portal_id = 1 LIMIT 1"
    await run_behind(uninstalled, postgres_url, table, first, erase(uninstalled))
    assert [await count(uninstalled, name) for name in ("portals", "calls", "call_legs")] == [0, 0, 0]


async def test_requests_that_another_eraser_left_are_not_taken_for_erased(
    uninstalled: Callbook, postgres_url: str
) -> None:
    first = (
        "SELECT e.id FROM portals p JOIN rest_exchanges e ON e.member_id = p.member_id"
        " AND e.at <= p.uninstalled_at WHERE p.state = 'uninstalled' LIMIT 1"
    )
    erasing = exchange_queries.erase_some_uninstalled_exchanges()
    assert await run_behind(uninstalled, postgres_url, "rest_exchanges", first, erasing) is True
    while await exchange_queries.erase_some_uninstalled_exchanges():
        pass
    assert await count(uninstalled, "rest_exchanges") == 0


async def test_the_row_stays_due_while_a_call_is_left(
    uninstalled: Callbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call may be written late; without the portal's row nothing would find it again."""

    async def is_late(_: int) -> bool:
        return True

    with monkeypatch.context() as patch:
        patch.setattr("app.calls.removal.erasure.has_calls", is_late)
        await erase(uninstalled)
    assert await count(uninstalled, "portals") == 1
    await erase(uninstalled)
    assert await count(uninstalled, "portals") == 0
