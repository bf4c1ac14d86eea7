import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from app.calls.log.logged_calls import Viewer, take_pulse
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.fairness.places import Bounds
from app.portals.model import Portal
from app.web.http.live_streams import Streams, end_on_signals
from app.web.log.live_updates import Heartbeat
from tests.patience import wait_until
from tests.running import Callbook, FakeClock
from tests.web.browsing import Tab, install, open_tab
from tests.web.logged_calls import NOW, insert_calls


async def open_quiet_tab(callbook: Callbook, portal: StandInPortal, user: int | None = None) -> Tab:
    """Open a tab and wait for the work that this causes, which would be news."""
    tab = await open_tab(callbook, portal, user)
    await callbook.settle()
    return tab


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


@pytest.fixture(autouse=True)
def calm(callbook: Callbook) -> None:
    """A stream looks again when it is told to, and at no time by itself."""
    callbook.parts.streams.pause_s = 0
    callbook.parts.streams.recheck_s = 3600


@pytest.fixture
def eager(callbook: Callbook, calm: None) -> None:
    """A stream looks at its session again and again."""
    callbook.parts.streams.recheck_s = 0.01


@asynccontextmanager
async def follow(tab: Tab) -> AsyncIterator[AsyncIterator[str]]:
    """The named events of a stream, in order."""
    headers = {"Authorization": f"Bearer {tab.token}"}
    async with tab.callbook.client.stream("GET", "/live", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        yield (line.removeprefix("event: ") async for line in lines if line.startswith("event: "))


@pytest.mark.quick
async def test_the_first_event_comes_at_once_the_next_with_a_change(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal_id = await install(callbook, portal)
    async with follow(await open_quiet_tab(callbook, portal)) as events:
        assert await anext(events) == "changed"
        await insert_calls(portal_id, {})
        callbook.parts.changes.announce(portal_id)
        assert await anext(events) == "changed"
        await callbook.run_sql("UPDATE calls SET code = '486'")
        callbook.parts.changes.announce(portal_id)
        assert await anext(events) == "changed"


@pytest.mark.parametrize("user", ["admin", "operator"])
async def test_a_call_slides_in_with_any_start_also_beside_calls_in_the_future(
    callbook: Callbook, portal: StandInPortal, user: str
) -> None:
    user_id = 1 if user == "admin" else portal.operator.id
    portal_id = await install(callbook, portal)
    future = ({"call_id": f"f{n}", "started_at": NOW + 10**8 + n, "user_id": user_id} for n in range(201))
    await insert_calls(portal_id, *future)
    async with follow(await open_quiet_tab(callbook, portal, user_id)) as events:
        assert await anext(events) == "changed"
        for started_at in (NOW - 10 * 86_400, NOW - 60, NOW + 2 * 10**8):
            call = {"call_id": str(started_at), "user_id": user_id, "started_at": started_at}
            await insert_calls(portal_id, call)
            callbook.parts.changes.announce(portal_id)
            assert await anext(events) == "changed"
        await callbook.run_sql(f"UPDATE calls SET code = '486' WHERE call_id = '{NOW - 60}'")
        callbook.parts.changes.announce(portal_id)
        assert await anext(events) == "changed"


async def test_a_call_that_others_bury_is_no_news(
    callbook: Callbook, portal: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"user_id": portal.operator.id})
    viewer = Viewer(portal_id, portal.operator.id, frozenset((portal.operator.id,)))
    monkeypatch.setattr("app.calls.log.logged_calls.PULSE_DEPTH", 1)
    before = await take_pulse(viewer, NOW)
    await insert_calls(portal_id, {"call_id": "other", "user_id": 1})
    assert await take_pulse(viewer, NOW, before) == before
    assert await take_pulse(viewer, NOW) != before


@pytest.mark.parametrize("others", [1, 5])
async def test_a_portal_of_invented_users_holds_few_streams(others: int) -> None:
    """Of 300 users, the others have a stream each before; the rest ask from time to time."""
    streams, portals = Streams(), range(10, 10 + others)
    with ExitStack() as stack:
        honest = [stack.enter_context(streams.join(portal_id, 1)) for portal_id in portals]
        invented = [
            stack.enter_context(streams.join(portal_id, user_id))
            for portal_id in range(1, 5)
            for user_id in range(300)
        ]
        follow = [stream for stream in invented if stream.ending is None]
        assert len(follow) <= 256 // 2 + 4
        assert {stream.ending for stream in invented} == {None, "superseded"}
        assert all(stream.ending is None for stream in honest)
        assert stack.enter_context(streams.join(99, 1)).ending is None
        # All together look 64 times a second; a single stream looks as often as before.
        assert streams.count / streams.pause_of(1) <= 64
    assert streams.count == 0
    assert streams.pause_of(1) == 1


async def test_a_tab_without_a_place_for_its_stream_asks_from_time_to_time(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal_id = await install(callbook, portal)
    callbook.parts.streams.places.bounds = Bounds(overall=8, per_portal=1, per_user=1)
    with callbook.parts.streams.join(portal_id, 10**6):
        async with follow(await open_quiet_tab(callbook, portal)) as events:
            assert await anext(events) == "poll"
    async with follow(await open_quiet_tab(callbook, portal)) as events:
        assert await anext(events) == "changed"


async def test_others_calls_wake_no_stream_of_a_viewer_that_may_not_see_them(
    callbook: Callbook, portal: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends no comment either: the moments of comments would tell when others' calls come."""
    portal_id = await install(callbook, portal)
    tab = await open_quiet_tab(callbook, portal, portal.operator.id)
    sessions, looks = callbook.parts.sessions, asyncio.Semaphore(0)
    find_portal = sessions.find_portal

    async def look(portal_id: int) -> Portal | None:
        looks.release()
        return await find_portal(portal_id)

    headers = {"Authorization": f"Bearer {tab.token}"}
    async with callbook.client.stream("GET", "/live", headers=headers) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "event: changed"
        monkeypatch.setattr(sessions, "find_portal", look)
        for number in range(3):
            await insert_calls(portal_id, {"call_id": f"other-{number}", "user_id": 1})
            callbook.parts.changes.announce(portal_id)
            await looks.acquire()
        await insert_calls(portal_id, {"call_id": "own", "user_id": portal.operator.id})
        callbook.parts.changes.announce(portal_id)
        assert [await anext(lines) for _ in range(3)] == ["data:", "", "event: changed"]


@pytest.mark.usefixtures("eager")
async def test_a_quiet_stream_shows_that_it_is_there(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    headers = {"Authorization": f"Bearer {(await open_quiet_tab(callbook, portal)).token}"}
    async with callbook.client.stream("GET", "/live", headers=headers) as answer:
        lines = answer.aiter_lines()
        assert await anext(line async for line in lines if line.startswith(":")) == ": still here"


async def test_a_heartbeat_that_comes_late_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each stream would look many times at once when a database answers after a pause."""
    now = 100.0
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        heartbeat = Heartbeat(15.0)
    now = 173.0
    assert [heartbeat.is_due(), heartbeat.is_due()] == [True, False]
    assert heartbeat.left_s == 2.0


@pytest.mark.usefixtures("eager")
async def test_a_stream_ends_with_its_session(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install(callbook, portal)
    async with follow(await open_quiet_tab(callbook, portal)) as events:
        assert await anext(events) == "changed"
        clock.advance(600)
        assert await anext(events) == "expired"
        assert [event async for event in events] == []


@pytest.mark.usefixtures("eager")
async def test_a_stream_ends_with_an_uninstall(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    async with follow(await open_quiet_tab(callbook, portal)) as events:
        assert await anext(events) == "changed"
        await callbook.run_sql("UPDATE portals SET state = 'uninstalled'")
        assert await anext(events) == "expired"


async def test_the_third_stream_ends_the_first(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    tab = await open_quiet_tab(callbook, portal)
    async with follow(tab) as first, follow(tab) as second:
        assert [await anext(first), await anext(second)] == ["changed", "changed"]
        async with follow(tab) as third:
            assert await anext(third) == "changed"
            assert await anext(first) == "poll"
            assert [event async for event in first] == []
            assert callbook.parts.streams.count == 2


async def test_another_user_s_streams_are_not_counted(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    tabs = [await open_quiet_tab(callbook, portal, user) for user in (1, portal.operator.id)]
    async with follow(tabs[0]) as a, follow(tabs[0]) as b, follow(tabs[1]) as c, follow(tabs[1]) as d:
        assert [await anext(events) for events in (a, b, c, d)] == ["changed"] * 4
        assert callbook.parts.streams.count == 4


async def test_a_shutdown_ends_every_stream(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    async with follow(await open_quiet_tab(callbook, portal)) as events:
        assert await anext(events) == "changed"
        callbook.parts.streams.end_all()
        assert [event async for event in events] == []
    assert callbook.parts.streams.count == 0


async def test_a_tab_that_closes_leaves_nothing_behind(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    async with follow(await open_quiet_tab(callbook, portal)) as events:
        assert await anext(events) == "changed"
    await wait_until(lambda: not callbook.parts.streams.count)


def test_a_stream_after_the_shutdown_ends_at_once() -> None:
    streams = Streams()
    streams.end_all()
    with streams.join(1, 1) as stream:
        assert stream.ending == "shutdown"


async def test_a_signal_ends_the_streams_and_then_does_what_it_did() -> None:
    heard: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    streams = Streams()
    try:
        with end_on_signals(streams.end_all), streams.join(1, 1) as stream:
            os.kill(os.getpid(), signal.SIGTERM)
            await stream.ended.wait()
            assert stream.ending == "shutdown"
            assert heard == [signal.SIGTERM]
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, former)
