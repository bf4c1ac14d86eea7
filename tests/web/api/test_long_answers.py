"""No answer grows with the amount that a portal stores, and a client that does not read holds little, and not
for long.
"""

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.calls.log.column_queries import IN_LISTS, MARK
from app.calls.log.logged_calls import LEGS_OF_A_CALL
from app.demo.stand_in import StandIn
from app.kit.file_limit import count_places
from app.web.http.answer_turns import MOST_IN_ALL, Answers, find_in_all
from tests.patience import wait_until
from tests.running import Callbook
from tests.web.browsing import Tab, install, open_tab
from tests.web.logged_calls import NOW, insert_calls, insert_legs

COMMENT = "é" * 8_000  # The longest that is stored.
LONG = {"comment": COMMENT, "reason": "r" * 500, "portal_number": "l" * 255, "phone_number": "+" + "1" * 254}
UNREAD = 30
MIB = 1_048_576


@pytest.fixture
async def tab(callbook: Callbook, stand_in: StandIn) -> Tab:
    """The tab of a portal with 300 calls, each with the longest possible texts."""
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, *(LONG | {"call_id": f"c{number}"} for number in range(300)))
    tab = await open_tab(callbook, stand_in.portals[0])
    await callbook.settle()
    return tab


async def test_texts_are_cut_in_lists_and_whole_in_one_call(tab: Tab) -> None:
    (item,) = (await tab.get("/api/v1/calls", limit=1)).json()["items"]
    assert item["comment"] == item["legs"][0]["comment"] == "é" * IN_LISTS + MARK
    assert item["portal_number"] == "l" * IN_LISTS
    assert COMMENT not in (await tab.get("/log/rows")).text
    whole = (await tab.get("/api/v1/calls/c0")).json()
    assert (whole["comment"], whole["reason"]) == (COMMENT, "r" * 500)
    assert COMMENT in (await tab.get("/log/calls/c0")).text
    assert COMMENT in (await tab.get("/api/v1/calls.csv")).text
    assert "l" * 255 in (await tab.get("/log/choices")).text


async def test_an_answer_ends_early_and_its_cursor_leaves_nothing_out(tab: Tab) -> None:
    ids: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        answer = await tab.get("/api/v1/calls", limit=500, cursor=cursor)
        assert len(answer.content) <= MIB + 65_536
        ids += [item["call_id"] for item in answer.json()["items"]]
        cursor, pages = answer.json()["next_cursor"], pages + 1
    assert pages > 1
    assert ids == [f"c{number}" for number in range(300)]


async def test_a_call_of_ever_more_legs_hides_no_other(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    legs = [(1, "200", 5)] * 2_100
    # The call "long" begins with its last leg.
    starts = {"a": NOW + len(legs), "long": NOW + len(legs) - 1, "z": NOW - 1}
    await insert_calls(portal_id, *({"call_id": key, "started_at": at} for key, at in starts.items()))
    await insert_legs(portal_id, "long", *legs)
    tab = await open_tab(callbook, stand_in.portals[0])
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await tab.get("/api/v1/calls", cursor=cursor)).json()
        assert all(len(item["legs"]) <= LEGS_OF_A_CALL for item in page["items"])
        ids, cursor = ids + [item["call_id"] for item in page["items"]], page["next_cursor"]
    assert ids == ["a", "long", "z"]
    lines = (await tab.get("/api/v1/calls.csv")).text.splitlines()
    assert [line.rsplit(",", 1)[-1] for line in lines[1:]] == ids


@asynccontextmanager
async def ask_and_read_nothing(
    callbook: Callbook, tab: Tab, times: int
) -> AsyncIterator[list[socket.socket]]:
    """Open connections that each ask for a long page, and read almost nothing of it."""
    host, port = callbook.url.removeprefix("http://").split(":")
    head = f"GET /api/v1/calls?limit=500 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tab.token}\r\n\r\n"
    sockets = []
    try:
        for _ in range(times):
            asking = socket.socket()
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            asking.setblocking(False)
            sockets.append(asking)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(asking, (host, int(port)))
            await loop.sock_sendall(asking, head.encode())
        yield sockets
    finally:
        for asking in sockets:
            asking.close()


async def test_unread_answers_hold_few_places_and_little_memory(
    callbook: Callbook, stand_in: StandIn, tab: Tab
) -> None:
    answers = callbook.parts.answers
    answers.stall_s = 3600
    await install(callbook, stand_in.portals[1])
    other = await open_tab(callbook, stand_in.portals[1])
    await callbook.settle()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        async with ask_and_read_nothing(callbook, tab, UNREAD):
            await wait_until(lambda: answers.places.count == UNREAD)
            for _ in range(10):
                assert (await other.get("/log/rows")).status_code == 200
            assert answers.queue.places.count == answers.queue.places.bounds.per_user
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before <= 32 * MIB


async def test_a_client_that_does_not_read_is_cut_off_and_its_place_is_free(
    callbook: Callbook, tab: Tab
) -> None:
    answers = callbook.parts.answers
    answers.stall_s = 0.05
    async with ask_and_read_nothing(callbook, tab, 8) as sockets:
        await wait_until(lambda: sockets and not answers.places.count)
    assert len(await tab.list_ids()) == 50


@pytest.mark.parametrize("places", [256, 512, 1_148, 65_536])
def test_answers_leave_half_of_all_connections_to_events(places: int) -> None:
    in_all = find_in_all(places)
    assert in_all.overall <= places // 2
    assert in_all.per_user < in_all.per_portal <= in_all.overall // 2
    assert in_all.overall <= MOST_IN_ALL.overall


async def test_the_bound_of_waiting_answers_is_that_of_this_process() -> None:
    assert Answers().places.bounds == find_in_all(count_places())
