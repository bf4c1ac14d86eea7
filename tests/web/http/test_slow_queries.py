"""A slow search keeps only its own user waiting: the pages and events of others come while it runs."""

import asyncio
from typing import Any

import httpx
import pytest
from piccolo.columns.combination import WhereRaw

from app.calls.log.selection import filter_queries
from app.demo.stand_in import StandIn
from tests.patience import PATIENCE_S
from tests.running import Callbook
from tests.web.browsing import Tab, install, open_tab
from tests.web.logged_calls import insert_calls

PAGES = 10
# It never ends, like a search through an endless log.
ENDLESS = "0 = (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT COUNT(*) FROM c)"


@pytest.fixture(autouse=True)
def endless_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_queries, "_having_number", lambda _: WhereRaw(ENDLESS))


def search(tab: Tab, times: int) -> list[asyncio.Task[httpx.Response]]:
    return [asyncio.create_task(tab.get("/api/v1/calls", q="7")) for _ in range(times)]


async def begin_slow_searches(callbook: Callbook, stand_in: StandIn) -> list[asyncio.Task[httpx.Response]]:
    """Begin more of them than there are connections, by two users of one portal; none ends by itself."""
    callbook.parts.database.engine.turns.limit_s = 3600
    portal = stand_in.portals[0]
    tabs = [await open_tab(callbook, portal), await open_tab(callbook, portal, portal.operator.id)]
    return [task for tab in tabs for task in search(tab, 8)]


async def stop(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_others_get_their_pages_and_events_are_stored_while_a_portal_searches(
    callbook: Callbook, stand_in: StandIn
) -> None:
    slow, quick = stand_in.portals
    await insert_calls(await install(callbook, slow), {})
    await insert_calls(await install(callbook, quick), {})
    searches = await begin_slow_searches(callbook, stand_in)
    tab = await open_tab(callbook, quick)
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(PAGES):
            assert (await tab.get("/log/rows")).status_code == 200
            assert (await slow.end_call()).response.status_code == 200
    assert not any(search.done() for search in searches)
    await stop(searches)


async def test_one_users_searches_leave_their_colleagues_a_connection(
    callbook: Callbook, stand_in: StandIn
) -> None:
    callbook.parts.database.engine.turns.limit_s = 3600
    portal = stand_in.portals[0]
    await insert_calls(await install(callbook, portal), {"user_id": portal.operator.id})
    searches = search(await open_tab(callbook, portal), 16)
    colleague = await open_tab(callbook, portal, portal.operator.id)
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(PAGES):
            assert (await colleague.get("/log/rows")).status_code == 200
    assert not any(search.done() for search in searches)
    await stop(searches)


async def test_a_search_that_takes_too_long_says_what_to_do(callbook: Callbook, stand_in: StandIn) -> None:
    """It gives its connection back, also more often than there are connections."""
    callbook.parts.database.engine.turns.limit_s = 0.05
    await insert_calls(await install(callbook, stand_in.portals[0]), {})
    tab = await open_tab(callbook, stand_in.portals[0])
    for answer in await asyncio.gather(*search(tab, 16)):
        assert (answer.status_code, answer.json()["code"]) == (503, "too_slow")
        assert "shorter period" in answer.json()["detail"]
        assert answer.headers["Retry-After"] == "5"
    callbook.parts.database.engine.turns.limit_s = 3600
    assert len(await tab.list_ids()) == 1
