import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from tests.running import Callbook, FakeClock

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"
FORM = {"content-type": "application/x-www-form-urlencoded"}
TRICKY = {
    "nul": "a\x00b\x1a0",
    "emoji": "📞 🧑‍🚀",
    "right-to-left": "\u202eمرحبا",
    "html": '<script>alert("1")</script>&amp;',
    "sql": "'; DROP TABLE calls; --",
}


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    portal.add_app()
    await portal.install(callbook.url)
    await callbook.settle()
    return portal


async def read_calls(callbook: Callbook, portal: StandInPortal) -> list[dict[str, Any]]:
    pair = portal.issue_pair()
    answer = await callbook.client.post(
        "/session", json={"member_id": portal.member_id, "auth_id": pair.access_token}
    )
    assert answer.status_code == 200, answer.text
    token = answer.json()["token"]
    answer = await callbook.client.get("/api/v1/calls", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def post(callbook: Callbook, body: bytes | str, **headers: str) -> tuple[int, Any]:
    answer = await callbook.client.post("/events", content=body, headers=FORM | headers)
    return answer.status_code, answer.json()


@pytest.mark.quick
async def test_a_call_is_stored_and_shown(callbook: Callbook, installed: StandInPortal) -> None:
    ended = await installed.end_call(phone_number="+442079460123", code="200", duration_s=61)
    assert (ended.response.status_code, ended.response.json()) == (200, {"status": "ok"})
    (call,) = await read_calls(callbook, installed)
    assert call["call_id"] == ended.call_id
    assert (call["phone_number"], call["duration_s"], call["outcome"]) == ("+442079460123", 61, "answered")
    assert call["source"] == "event"


@pytest.mark.quick
async def test_duplicates_change_nothing(callbook: Callbook, installed: StandInPortal) -> None:
    await installed.end_call(duplicates=3)
    before = await read_calls(callbook, installed)
    assert len(before) == 1


async def test_a_json_body_is_taken_like_a_form(callbook: Callbook, installed: StandInPortal) -> None:
    body = {
        "event": "ONVOXIMPLANTCALLEND",
        "data": {"CALL_ID": "externalCall.1.2", "CALL_TYPE": "1", "CALL_DURATION": "0"},
        "ts": "1773239624",
        "auth": {"member_id": installed.member_id, "application_token": installed.application_token},
    }
    answer = await callbook.client.post("/events", json=body)
    assert answer.json() == {"status": "ok"}
    (call,) = await read_calls(callbook, installed)
    assert (call["call_id"], call["phone_number"], call["code"], call["outcome"]) == (
        "externalCall.1.2",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("text", TRICKY.values(), ids=TRICKY)
async def test_any_text_is_shown_as_it_came(callbook: Callbook, installed: StandInPortal, text: str) -> None:
    data = {"PHONE_NUMBER": text, "PORTAL_NUMBER": text, "CALL_FAILED_REASON": text, "CALL_FAILED_CODE": text}
    ended = await installed.end_call(data=data)
    assert ended.response.json() == {"status": "ok"}
    (call,) = await read_calls(callbook, installed)
    assert [call[key] for key in ("phone_number", "portal_number", "reason", "code")] == [text] * 4


@pytest.mark.parametrize("number", ["hidden", "101", "442079460123", "+442079460123"])
async def test_numbers_are_shown_as_they_came(
    callbook: Callbook, installed: StandInPortal, number: str
) -> None:
    await installed.end_call(phone_number=number)
    (call,) = await read_calls(callbook, installed)
    assert call["phone_number"] == number


async def test_a_raw_plus_is_repaired(callbook: Callbook, installed: StandInPortal) -> None:
    body = (
        "event=ONVOXIMPLANTCALLEND&data[CALL_ID]=raw.1&data[PHONE_NUMBER]=+442079460123"
        f"&auth[member_id]={installed.member_id}&auth[application_token]={installed.application_token}"
    )
    assert await post(callbook, body) == (200, {"status": "ok"})
    (call,) = await read_calls(callbook, installed)
    assert call["phone_number"] == "+442079460123"


@pytest.mark.parametrize("code", ["603-S", "OTHER", "200", "304"])
async def test_codes_are_kept_as_text(callbook: Callbook, installed: StandInPortal, code: str) -> None:
    await installed.end_call(code=code)
    (call,) = await read_calls(callbook, installed)
    assert call["code"] == code


@pytest.mark.parametrize("year", ["2021", "2055"])
async def test_old_and_future_dates_are_kept(callbook: Callbook, installed: StandInPortal, year: str) -> None:
    await installed.end_call(data={"CALL_START_DATE": f"{year}-03-11T17:28:46+02:00"})
    (call,) = await read_calls(callbook, installed)
    assert call["started_at"] == f"{year}-03-11T15:28:46Z"


async def test_missing_data_is_unknown(callbook: Callbook, installed: StandInPortal) -> None:
    names = (
        "PORTAL_USER_ID",
        "CALL_DURATION",
        "COST",
        "COST_CURRENCY",
        "CALL_FAILED_CODE",
        "CRM_ACTIVITY_ID",
    )
    await installed.end_call(data=dict.fromkeys(names))
    (call,) = await read_calls(callbook, installed)
    keys = ("user_id", "operator", "duration_s", "cost", "currency", "code", "outcome", "crm_activity_id")
    assert [call[key] for key in keys] == [None] * len(keys)


@pytest.mark.quick
async def test_wrong_token_unknown_portal_and_other_kinds(
    callbook: Callbook, installed: StandInPortal
) -> None:
    def body(event: str, member_id: str, token: str) -> str:
        return f"event={event}&data[CALL_ID]=x.1&auth[member_id]={member_id}&auth[application_token]={token}"

    refused = (403, {"status": "error", "error": "invalid_application_token"})
    for event in ("ONVOXIMPLANTCALLEND", "ONVOXIMPLANTCALLSTART", "ONAPPUNINSTALL"):
        assert await post(callbook, body(event, installed.member_id, "0" * 32)) == refused
        assert await post(callbook, body(event, "0" * 32, installed.application_token)) == refused
        assert await post(callbook, body(event, "", "")) == refused
    other = body("ONVOXIMPLANTCALLSTART", installed.member_id, installed.application_token)
    assert await post(callbook, other) == (200, {"status": "ignored"})
    assert await read_calls(callbook, installed) == []


@pytest.mark.quick
async def test_what_is_no_event_and_what_is_too_large(callbook: Callbook) -> None:
    for body in ("", "hello", "data[CALL_ID]=1", b"\xff\xfe"):
        status, answer = await post(callbook, body)
        assert (status, answer["status"], answer["error"]) == (400, "error", "not_an_event")
        assert answer["reason"]
    assert (
        await callbook.client.post("/events", content=b"{", headers={"content-type": "application/json"})
    ).status_code == 400
    assert (await post(callbook, b"event=" + b"x" * 65_536))[0] == 413
    assert (await callbook.client.get("/events")).status_code == 405
    assert (await callbook.client.head("/events")).status_code == 200


@pytest.mark.quick
async def test_an_unknown_token_is_a_hint_and_never_a_record(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    """The portal's page brings no token, as in an older Bitrix24, and ONAPPINSTALL has not come yet."""
    portal = stand_in.portals[0]
    portal.add_app()
    query, form = portal.page_form(is_new_portal=False)
    answer = await callbook.client.post("/install", params=query, data=form)
    assert answer.status_code == 200
    portal.installation.is_finished = True
    await callbook.settle()
    reads = stand_in.counts["voximplant.statistic.get"]
    for _ in range(10):
        ended = await portal.end_call()
        assert (ended.response.status_code, ended.response.json()) == (202, {"status": "pending"})
    forged = f"event=ONVOXIMPLANTCALLEND&data[CALL_ID]=forged.1&auth[member_id]={portal.member_id}"
    assert (await post(callbook, forged + "&auth[application_token]=guess"))[0] == 202
    await callbook.settle()
    assert stand_in.counts["voximplant.statistic.get"] == reads + 2  # One read, and one count of the day.
    clock.advance(61)
    await callbook.parts.lookups.look_where_wanted()
    await callbook.settle()
    calls = await read_calls(callbook, portal)
    assert len(calls) == 10
    assert {call["source"] for call in calls} == {"history"}
    assert (await portal.install_event()).status_code == 200
    assert (await portal.end_call()).response.json() == {"status": "ok"}


async def test_hints_of_strangers_write_nothing_while_a_look_up_is_wanted_already(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal = stand_in.portals[0]
    portal.add_app()
    query, form = portal.page_form(is_new_portal=False)
    await callbook.client.post("/install", params=query, data=form)
    await callbook.settle()
    forged = f"event=ONVOXIMPLANTCALLEND&data[CALL_ID]=forged.1&auth[member_id]={portal.member_id}"

    async def hint() -> object:
        assert (await post(callbook, forged + "&auth[application_token]=guess"))[0] == 202
        await callbook.settle()
        return (await callbook.run_sql("SELECT lookup_wanted_at FROM portals"))[0]["lookup_wanted_at"]

    assert await hint() is None  # The wish was served at once.
    clock.advance(1)
    wanted_at = await hint()
    assert wanted_at == clock.now()
    clock.advance(1)
    assert await hint() == wanted_at
    clock.advance(60)
    reads = stand_in.counts["voximplant.statistic.get"]
    await callbook.parts.lookups.look_where_wanted()
    await callbook.settle()
    assert stand_in.counts["voximplant.statistic.get"] == reads + 1
    assert await hint() == clock.now()


@pytest.mark.quick
async def test_what_cannot_be_decoded_is_kept_without_tokens(
    callbook: Callbook, installed: StandInPortal
) -> None:
    ended = await installed.end_call(data={"CALL_DURATION": "a while"})
    assert ended.response.json() == {"status": "ok"}
    (kept,) = await callbook.run_sql("SELECT * FROM undecodable_events")
    assert "a while" in kept["payload"]
    assert installed.application_token not in json.dumps(kept)
    assert "CALL_DURATION" in kept["reason"]


@pytest.mark.quick
async def test_one_bad_event_fails_no_other(callbook: Callbook, installed: StandInPortal) -> None:

    good = [installed.end_call(call_id=f"good.{index}") for index in range(20)]
    bad = [installed.end_call(call_id=f"bad.{index}", data={"COST": "x"}) for index in range(5)]
    answers = await asyncio.gather(*good, *bad)
    assert {answer.response.status_code for answer in answers} == {200}
    assert len(await read_calls(callbook, installed)) == 20


async def test_an_uninstall_in_another_process_ends_what_is_remembered(
    callbook: Callbook, installed: StandInPortal
) -> None:
    await installed.end_call()
    await callbook.run_sql("UPDATE portals SET state = 'uninstalled'")
    assert (await installed.end_call()).response.status_code == 403
    assert (await callbook.run_sql("SELECT COUNT(*) AS n FROM calls"))[0]["n"] == 1


@pytest.mark.parametrize("name", ["onvoximplantcallend-nouser.form", "onvoximplantcallend-user.json"])
async def test_wire_samples(callbook: Callbook, installed: StandInPortal, name: str) -> None:
    if not SAMPLES.exists():
        return  # The samples lie beside the checkout; tests/bitrix24 checks their shape without them.
    text = (SAMPLES / name).read_text()
    text = text.replace("a223c6b9410f85df78e9377d6c4f7213", installed.member_id)
    text = text.replace("51610fefc120afg4b628cc82d6298cce", installed.application_token)
    kind = "application/json" if name.endswith("json") else FORM["content-type"]
    assert await post(callbook, text, **{"content-type": kind}) == (200, {"status": "ok"})
    (call,) = await read_calls(callbook, installed)
    assert (call["type"], call["code"], call["outcome"], call["user_id"]) == (1, "304", "no_answer", 1269)
