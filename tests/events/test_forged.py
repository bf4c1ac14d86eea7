"""Forged events: refused by the stored state of now, counted, and logged in one line a minute."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.bitrix24.incoming.payloads import decode_event
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.fairness.shared_reads import SharedReads
from app.kit.messages.errors import Forbidden
from app.portals import queries
from app.portals.model import Portal
from tests.running import Callbook

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    portal.add_app()
    await portal.install(callbook.url)
    await callbook.settle()
    return portal


async def send(callbook: Callbook, member_id: str, token: str, event: str = "ONVOXIMPLANTCALLEND") -> int:
    body = f"event={event}&data[CALL_ID]=x.1&auth[member_id]={member_id}&auth[application_token]={token}"
    return (await callbook.client.post("/events", content=body, headers=FORM)).status_code


async def test_a_refused_token_that_becomes_right_in_another_process_is_accepted_at_once(
    callbook: Callbook, installed: StandInPortal
) -> None:
    for round_ in range(3):
        token = f"new-{round_}"
        assert {await send(callbook, installed.member_id, token) for _ in range(3)} == {403}
        token_hash = callbook.parts.vault.hash_application_token(token)
        await callbook.run_sql(f"UPDATE portals SET application_token_hash = '{token_hash}'")
        assert await send(callbook, installed.member_id, token) == 200


async def test_a_flood_shares_its_reads_and_costs_two_lines(
    callbook: Callbook, installed: StandInPortal
) -> None:
    reads = 0

    async def count(member_ids: Collection[str]) -> dict[str, Portal]:
        nonlocal reads
        reads += 1
        return await queries.find_portals(member_ids)

    callbook.parts.directory._reads = SharedReads(count)  # noqa: SLF001  Nothing else tells them apart.
    refused = callbook.parts.refused_events
    refused.tell()
    with capture_logs() as lines:
        for event in ("ONVOXIMPLANTCALLEND", "ONAPPUNINSTALL"):
            for member_id in (installed.member_id, "0" * 32, ""):
                assert await send(callbook, member_id, "guess\x1b[2J", event) == 403
        one_by_one = reads
        forged = [
            callbook.parts.directory.recognise(installed.member_id, f"guess-{number}")
            for number in range(400)
        ]
        assert {type(known) for known in await asyncio.gather(*forged)} == {Portal}
        refused.tell()
    assert (one_by_one, reads) == (4, 5)
    told = [line for line in lines if line["event"] == "event refused"]
    assert [line["count"] for line in told] == [1, 5]
    assert told[0]["network"] == "127.0.0.0/24"
    assert told[0]["member_id"] == installed.member_id


@pytest.mark.parametrize("name", ["ONAPPINSTALL", "ONAPPUPDATE"])
async def test_forged_installations_that_come_at_once_share_their_statements(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    body = (
        f"event={name}&data[VERSION]=1&auth[member_id]={installed.member_id}&auth[application_token]=guess"
        f"&auth[access_token]={'a' * 40}&auth[refresh_token]={'r' * 40}&auth[expires_in]=3600"
    )
    assert (await callbook.client.post("/events", content=body, headers=FORM)).status_code == 403
    event = decode_event(FORM["content-type"], body.encode())
    engine, statements = type(callbook.parts.database.engine), 0
    run = engine.run_querystring

    async def count(self: Any, *args: Any, **named: Any) -> Any:
        nonlocal statements
        statements += 1
        return await run(self, *args, **named)

    monkeypatch.setattr(engine, "run_querystring", count)
    refused = await asyncio.gather(
        *(callbook.parts.installer.install_from_event(event, f"198.51.{n}.7") for n in range(200)),
        return_exceptions=True,
    )
    assert {type(refusal) for refusal in refused} == {Forbidden}
    assert 1 <= statements <= 4
