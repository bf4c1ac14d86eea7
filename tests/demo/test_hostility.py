"""Each kind of hostile portal behaves as its name says, and an honest one beside it stays honest."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core import hostility
from app.demo.core.hostility import Hostility
from app.demo.hostile_kinds import HOSTILITIES
from app.demo.lies import WILD_NUMBERS
from app.demo.stand_in import StandIn

STATISTICS = {"FILTER": {">ID": 100}, "SORT": "ID", "ORDER": "ASC", "start": -1}


@pytest.fixture
async def portal(stand_in: StandIn) -> StandInPortal:
    made = stand_in.portals[0]
    made.add_app()
    return made


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as made:
        yield made


async def ask(
    client: httpx.AsyncClient, portal: StandInPortal, method: str, **parameters: object
) -> httpx.Response:
    body = {"auth": portal.issue_pair().access_token, **parameters}
    return await client.post(f"{portal.client_endpoint}{method}", json=body)


async def test_statistics_go_on_behind_any_range_that_was_asked_for(
    client: httpx.AsyncClient, portal: StandInPortal
) -> None:
    portal.hostility = HOSTILITIES["endless"]
    rows = (await ask(client, portal, "voximplant.statistic.get", **STATISTICS)).json()["result"]
    assert [int(row["ID"]) for row in rows] == list(range(101, 151))
    command = "voximplant.statistic.get?FILTER[>ID]=$result[a][49][ID]"
    batch = {"a": "voximplant.statistic.get?FILTER[>ID]=7", "b": command}
    results = (await ask(client, portal, "batch", cmd=batch)).json()["result"]["result"]
    assert [int(results[name][0]["ID"]) for name in ("a", "b")] == [8, 58]


async def test_lies_go_together(client: httpx.AsyncClient, portal: StandInPortal) -> None:
    portal.hostility = Hostility((*HOSTILITIES["fat"].lies, *WILD_NUMBERS), HOSTILITIES["wild"].spoil)
    answer = (await ask(client, portal, "voximplant.statistic.get", **STATISTICS)).json()
    assert len(answer["result"][0]["COMMENT"]) == 20_000
    assert answer["result"][0]["COST"] == "NaN"
    assert answer["time"]["duration"] == "nan"


async def test_people_and_their_departments_have_no_end(
    client: httpx.AsyncClient, portal: StandInPortal
) -> None:
    portal.hostility = HOSTILITIES["inventing"]
    answer = (await ask(client, portal, "user.get", start=50)).json()
    assert (answer["next"], len(answer["result"][0]["UF_DEPARTMENT"])) == (100, 2_000)
    assert (await ask(client, portal, "department.get")).json()["next"] == 50


async def test_a_huge_answer_is_millions_of_lists(
    client: httpx.AsyncClient, portal: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostility, "HUGE_ELEMENTS", 1_000)
    portal.hostility = HOSTILITIES["huge"]
    assert json.loads((await ask(client, portal, "profile")).content) == {"result": [[]] * 1_001}


async def test_a_dripping_answer_comes_byte_by_byte(portal: StandInPortal) -> None:
    portal.hostility = HOSTILITIES["dripping"]
    reader, writer = await asyncio.open_connection("127.0.0.1", portal.state.port)
    writer.write(b"GET /rest/profile HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(12) == b'1\r\n{\r\n1\r\n"\r\n'
    writer.close()


@pytest.mark.parametrize("kind", ["silent", "unending", "slow"])
async def test_an_answer_without_end_stops_when_nobody_listens(
    stand_in: StandIn, portal: StandInPortal, kind: str
) -> None:
    """Else the fixture could not stop the stand-in."""
    portal.hostility = HOSTILITIES[kind]
    reader, writer = await asyncio.open_connection("127.0.0.1", portal.state.port)
    writer.write(b"GET /rest/profile HTTP/1.1\r\nHost: a\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"content-length" not in head
    writer.close()
    assert len(stand_in.requests_to("profile")) == 1


async def test_another_portal_is_named_for_every_request(
    client: httpx.AsyncClient, stand_in: StandIn, portal: StandInPortal
) -> None:
    victim = stand_in.portals[1].origin
    portal.hostility = Hostility().towards(victim)
    answer = await ask(client, portal, "profile")
    assert (answer.status_code, answer.headers["location"]) == (302, f"{victim}/rest/profile")
