"""The whole life of a portal leaves nothing secret in logs and in the record of requests."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.storage.database import Database
from tests.commands.running import make_environment, run_command
from tests.databases import KEYS
from tests.roles.living import open_session, run_role, wait_for_rows
from tests.running import CLIENT_ID, CLIENT_SECRET

NUMBER = "12025550147"
LINE = "reg133788"
METRICS_TOKEN = "metrics-token-of-the-test"
BOTH_ARE_SET_UP = "SELECT COUNT(*) AS n FROM portals WHERE setup NOT LIKE '%running%' HAVING COUNT(*) = 2"


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    """The stand-in by the machine's clock, like the processes."""
    async with StandIn.serve(portals=2, client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as served:
        for portal in served.portals:
            portal.add_app()
        yield served


async def live(stand_in: StandIn, url: str, database: Database) -> list[httpx.Response]:
    """Let all that can happen happen, well and badly; return the refusals."""
    portal, other = stand_in.portals
    for one in (portal, other):
        assert (await one.install(url)).status_code == httpx.codes.OK
        assert (await one.install_event()).status_code == httpx.codes.OK
    await wait_for_rows(database, BOTH_ARE_SET_UP)
    ended = await portal.end_call(phone_number=f"+{NUMBER}")
    await portal.end_call(phone_number=f"+{NUMBER}", data={"CALL_DURATION": f"+{NUMBER}"})
    async with await open_session(portal, url) as client:
        for path in (
            "/api/v1/calls",
            f"/api/v1/calls?q={NUMBER}",
            f"/api/v1/calls?sort=+{NUMBER}",
            "/log/rows",
            f"/log/calls/{ended.call_id}",
            f"/log/calls/{ended.call_id}/transcript",
            f"/audio/{portal.application_token}",
        ):
            await client.get(path)
        await client.get(
            f"/metrics?token={METRICS_TOKEN}", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}
        )
    refusals = [answer async for answer in provoke(portal, other, url)]
    portal.expire_access_tokens()
    stand_in.fail(
        "oauth.refresh", code="invalid_request", description=f"{NUMBER} {portal.application_token}", times=1
    )
    await portal.uninstall_event()
    stand_in.heal()
    for one in (portal, other):
        assert (await one.open_page("/")).status_code == httpx.codes.OK
    return refusals


async def provoke(portal: StandInPortal, other: StandInPortal, url: str) -> AsyncIterator[httpx.Response]:
    http = portal.stand_in.http
    query, form = portal.page_form()
    for path in ("/", "/install"):
        yield await http.post(f"{url}{path}", params=query, data=form | {"member_id": other.member_id})
        yield await http.post(
            f"{url}{path}", params=query, data=form | {"SERVER_ENDPOINT": "https://evil.example/rest/"}
        )
        yield await http.post(
            f"{url}{path}", params=query, data=form | {"AUTH_ID": f"{form['AUTH_ID'][:-8]}{'0' * 8}"}
        )
    yield await http.post(f"{url}/session", json={"member_id": other.member_id, "auth_id": form["AUTH_ID"]})
    for name in ("ONVOXIMPLANTCALLEND", "ONAPPINSTALL", "ONAPPUNINSTALL"):
        fields = {"event": name, "auth[member_id]": portal.member_id, "data[PHONE_NUMBER]": f"+{NUMBER}"}
        fields |= {"auth[application_token]": other.application_token, "auth[access_token]": form["AUTH_ID"]}
        yield await http.post(f"{url}/events", data=fields)


def list_secrets(stand_in: StandIn) -> list[str]:
    secrets = [CLIENT_SECRET, KEYS, KEYS.partition(":")[2], METRICS_TOKEN, NUMBER, quote(NUMBER)]
    for portal in stand_in.portals:
        secrets += [portal.application_token, *portal.state.tokens]
    return secrets


async def test_a_whole_life_leaves_nothing_secret(
    tmp_path: Path, database_url: str, stand_in: StandIn
) -> None:
    environment = make_environment(
        database_url, stand_in, LOG_FORMAT="json", LOG_LEVEL="debug", METRICS_TOKEN=METRICS_TOKEN
    )
    database = Database(database_url)
    await database.open()
    try:
        async with run_role("serve", environment, tmp_path) as role:
            refusals = await live(stand_in, role.url, database)
            exchanges = await database.run("SELECT * FROM rest_exchanges")
            for portal in stand_in.portals:
                assert await portal.uninstall(clean=False) is not None
            assert await role.stop() == 0
        stored = await asyncio.gather(
            *(database.run(f"SELECT * FROM {table}") for table in ("portals", "facts"))
        )
    finally:
        await database.close()
    secrets = list_secrets(stand_in)
    assert {answer.status_code for answer in refusals} == {403}
    assert_silent(secrets, role.output, json.dumps(exchanges, ensure_ascii=False), json.dumps(stored))
    for answer in refusals:
        assert_silent(secrets, answer.text)
    assert_told(role.output, exchanges)
    listed = await run_command(environment, "portals", "list")
    assert_silent(secrets, listed.all)


def assert_silent(secrets: list[str], *texts: str) -> None:
    for secret in secrets:
        for text in texts:
            assert secret not in text


def assert_told(output: str, exchanges: list[dict[str, Any]]) -> None:
    """Check that the logs do hold the other facts: without them, silence would prove nothing."""
    lines = [json.loads(line) for line in output.splitlines()]
    events = {line["event"] for line in lines}
    assert {
        "installed",
        "refused",
        "event refused",
        "event not decoded",
        "refresh refused",
        "uninstalled",
    } <= events
    codes = {line.get("code") for line in lines if line["event"] == "refused"}
    assert {"wrong_portal", "authorization_server_refused", "token_rejected"} <= codes
    methods = {(row["kind"], row["method"]) for row in exchanges}
    assert {
        ("oauth", "app.info"),
        ("oauth", "oauth/token"),
        ("rest", "profile"),
        ("rest", "event.get"),
    } <= methods
