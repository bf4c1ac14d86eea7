"""All deletions wait in the queue of work that nobody waits for."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from contextvars import Context

import pytest

from app.calls.removal.erasure import erase_calls, erase_views
from app.calls.removal.retention_queries import purge_undecodable
from app.calls.tables import UndecodableEventTable
from app.kit.fairness.lanes import Lane, find_lane
from app.kit.storage import deletion
from app.kit.storage.database import Database
from app.kit.storage.deletion import delete_some
from app.portals.fact_queries import write_fact
from app.portals.outbound.exchange_queries import (
    erase_some_uninstalled_exchanges,
    purge_exchanges,
    trim_exchanges,
)
from app.portals.outbound.rate_queries import purge_buckets
from app.portals.pending_queries import purge_pending
from app.portals.tables import FactTable
from app.tables import TABLES
from tests.running import Callbook


async def test_an_event_has_its_turn_after_one_step_of_ten_deletions(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "ROWS_A_STEP", 1)
    database = Database(sqlite_url, TABLES)
    await database.open()
    for number in range(10):
        await write_fact(f"old {number}", "value", 1)
    order: list[str] = []

    async def delete(number: int) -> None:
        while await delete_some(FactTable, FactTable.name == f"old {number}"):
            order.append("step")

    async with database.transaction():
        erasing = [asyncio.create_task(delete(number), context=Context()) for number in range(10)]
        await asyncio.sleep(0)  # All tasks have asked for their turns.
        event = asyncio.create_task(write_fact("event", "value", 1), context=Context())
    await event
    steps = len(order)
    await asyncio.gather(*erasing)
    await database.close()
    assert len(order) == 10
    assert steps <= 2


@pytest.mark.parametrize(
    "delete",
    [
        lambda _: erase_calls(1),
        lambda _: erase_views(1),
        lambda _: delete_some(UndecodableEventTable, UndecodableEventTable.portal_id == 1),
        lambda _: purge_undecodable(1, 1),
        lambda _: purge_exchanges(2**40),
        lambda _: trim_exchanges(0),
        lambda _: erase_some_uninstalled_exchanges(),
        lambda _: purge_pending(1),
        purge_buckets,
    ],
)
async def test_what_is_purged_or_erased_waits_where_nobody_is_waited_for(
    callbook: Callbook, monkeypatch: pytest.MonkeyPatch, delete: Callable[[Database], Awaitable[object]]
) -> None:
    columns = "member_id, at, kind, host, method, parameters, duration_ms, summary"
    await callbook.run_sql(f"INSERT INTO rest_exchanges ({columns}) VALUES ('a', 1, '', '', '', '', 1, '')")
    database = callbook.parts.database
    begin, lanes = database.engine.immediate_transaction, list[Lane | None]()

    def watch() -> AbstractAsyncContextManager[None]:
        lanes.append(find_lane())
        return begin()

    monkeypatch.setattr(database.engine, "immediate_transaction", watch)
    await delete(database)
    assert lanes
    assert all(lane is not None and lane.is_background for lane in lanes)
