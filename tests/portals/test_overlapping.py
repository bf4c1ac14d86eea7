"""Two erasers at the same rows, of which the first dies: nothing may be taken for erased that is not."""

import asyncio

import asyncpg
import pytest

from app.calls import erasure_queries
from app.demo.stand_in import StandIn
from app.portals import exchange_queries
from app.scheduler import erase_due
from tests.blocking import wait_until_blocked
from tests.conftest import GENEROUS
from tests.portals.reading import count
from tests.running import FakeClock, run_callbook


@pytest.mark.parametrize("table", ["call_legs", "calls", "rest_exchanges"])
async def test_an_eraser_that_waited_for_another_goes_on_with_the_rest(
    postgres_url: str,
    stand_in: StandIn,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
) -> None:
    """SQLite has one writer at a time."""
    for module in (erasure_queries, exchange_queries):
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
        assert await count(callbook, table) >= 3
        other = await asyncpg.connect(postgres_url)
        try:
            async with other.transaction():
                await other.execute(f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} LIMIT 1)")
                erasing = asyncio.create_task(erase_due(callbook.parts))
                await wait_until_blocked(callbook.parts.database, erasing, f"DELETE FROM {table}")
            await erasing
        finally:
            await other.close()
        left = [await count(callbook, name) for name in ("portals", "calls", "call_legs", "rest_exchanges")]
        assert left == [0, 0, 0, 0]
