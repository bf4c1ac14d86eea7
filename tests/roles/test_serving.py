"""The processes as the Procfile starts them go through an installation, events, the log, and an orderly
end.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.storage.database import Database
from tests.commands.running import make_environment, run_command
from tests.patience import PATIENCE_S
from tests.roles.living import Role, aim, install, open_session, run_role, wait_for_rows
from tests.running import CLIENT_ID, CLIENT_SECRET


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    """The stand-in by the machine's clock, like the processes."""
    async with StandIn.serve(portals=2, client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as served:
        yield served


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    stand_in.portals[0].add_app()
    return stand_in.portals[0]


async def deliver_call(portal: StandInPortal, url: str) -> str:
    """End a call whose event goes to this process; return the call's id."""
    aim(portal, url)
    ended = await portal.end_call()
    assert [answer.json() for answer in ended.responses] == [{"status": "ok"}]
    return ended.rows[0].call_id


async def read_call_ids(portal: StandInPortal, url: str) -> list[str]:
    async with await open_session(portal, url) as client:
        answer = await client.get("/api/v1/calls")
        return [call["call_id"] for call in answer.json()["items"]]


async def open_stream(client: httpx.AsyncClient, stack: AsyncExitStack) -> httpx.Response:
    stream = await stack.enter_async_context(client.stream("GET", "/live"))
    assert stream.status_code == httpx.codes.OK
    async for chunk in stream.aiter_raw():
        assert b"changed" in chunk
        break
    return stream


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_takes_calls_and_ends_at_once_with_a_stream_open(
    tmp_path: Path, database_url: str, number: int, portal: StandInPortal, stand_in: StandIn
) -> None:
    async with run_role("serve", make_environment(database_url, stand_in), tmp_path) as role:
        await install(portal, role.url, database_url)
        call_id = await deliver_call(portal, role.url)
        assert await read_call_ids(portal, role.url) == [call_id]
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(await open_session(portal, role.url))
            await open_stream(client, stack)
            assert await role.stop(number) == 0
        assert "Cancel" not in role.output
        assert "Traceback" not in role.output


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_web_and_scheduler_share_postgresql(
    tmp_path: Path, postgres_url: str, workers: str, portal: StandInPortal, stand_in: StandIn
) -> None:
    environment = make_environment(postgres_url, stand_in, WEB_WORKERS=workers)
    assert (await run_command(environment, "migrate")).code == 0
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(run_role("web", environment, tmp_path))
        other = await stack.enter_async_context(run_role("web", environment, tmp_path))
        scheduler = await stack.enter_async_context(run_role("scheduler", environment, tmp_path))
        await install(portal, one.url, postgres_url)
        call_ids = {await deliver_call(portal, one.url), await deliver_call(portal, other.url)}
        for role in (one, other):
            assert set(await read_call_ids(portal, role.url)) == call_ids
        client = await stack.enter_async_context(await open_session(portal, other.url))
        await open_stream(client, stack)
        await wait_for_lease(postgres_url)
        await assert_all_end(one, other, scheduler)


async def wait_for_lease(database_url: str) -> None:
    database = Database(database_url)
    await database.open()
    try:
        await wait_for_rows(database, "SELECT holder FROM leases WHERE name = 'scheduler' AND expires_at > 0")
    finally:
        await database.close()


async def assert_all_end(*roles: Role) -> None:
    codes = await asyncio.gather(*(role.stop() for role in roles))
    assert codes == [0] * len(roles)
    for role in roles:
        assert "Traceback" not in role.output
        assert "Cancel" not in role.output


async def test_a_call_in_one_process_wakes_a_stream_in_another(
    tmp_path: Path, postgres_url: str, portal: StandInPortal, stand_in: StandIn
) -> None:
    environment = make_environment(postgres_url, stand_in)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(run_role("web", environment, tmp_path))
        other = await stack.enter_async_context(run_role("web", environment, tmp_path))
        await install(portal, one.url, postgres_url)
        client = await stack.enter_async_context(await open_session(portal, other.url))
        stream = await stack.enter_async_context(client.stream("GET", "/live"))
        chunks = stream.aiter_raw()
        assert b"changed" in await anext(chunks)
        await deliver_call(portal, one.url)
        async with asyncio.timeout(PATIENCE_S):
            await anext(chunk async for chunk in chunks if b"changed" in chunk)


async def test_an_uninstall_in_one_process_ends_what_another_remembers(
    tmp_path: Path, postgres_url: str, portal: StandInPortal, stand_in: StandIn
) -> None:
    environment = make_environment(postgres_url, stand_in)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(run_role("web", environment, tmp_path))
        other = await stack.enter_async_context(run_role("web", environment, tmp_path))
        await install(portal, one.url, postgres_url)
        await deliver_call(portal, other.url)  # Now the other process remembers the portal.
        client = await stack.enter_async_context(await open_session(portal, other.url))
        await portal.end_call(delay=True)
        aim(portal, one.url)
        answer = await portal.uninstall(clean=False)
        assert answer is not None
        assert (answer.status_code, answer.url.port) == (200, httpx.URL(one.url).port)
        harmless = {"event": "ONVOXIMPLANTCALLSTART", "auth[member_id]": portal.member_id}
        harmless["auth[application_token]"] = portal.application_token
        assert (await client.post("/events", data=harmless)).status_code == 403
        assert [answer.status_code for answer in await portal.deliver_delayed()] == [403]
        assert (await client.get("/api/v1/calls")).status_code == 401


async def test_killed_between_answer_and_commit_the_next_page_of_an_admin_heals(
    tmp_path: Path, postgres_url: str, portal: StandInPortal, stand_in: StandIn
) -> None:
    environment = make_environment(postgres_url, stand_in)
    async with run_role("web", environment, tmp_path) as role:
        await install(portal, role.url, postgres_url)
    portal.expire_access_tokens()
    gate = stand_in.hold("oauth.refresh")
    async with run_role("web", environment, tmp_path) as role:
        aim(portal, role.url)
        asking = asyncio.create_task(portal.uninstall_event())  # To judge a forgery, Callbook tries the pair.
        async with asyncio.timeout(PATIENCE_S):
            await gate.reached()
        assert await role.stop(signal.SIGKILL) == -signal.SIGKILL
        with pytest.raises(httpx.TransportError):
            await asking
    gate.release()
    async with run_role("web", environment, tmp_path) as role:
        aim(portal, role.url)
        assert (await portal.open_page("/")).status_code == httpx.codes.OK
        synced = await run_command(environment, "portals", "sync", portal.member_id, "--json")
        assert synced.code == 0, synced.all
    assert stand_in.counts["oauth.refresh"] == 1
