from typing import Any

import pytest

from app.calls.log.selection.cursors import SORTS
from app.calls.store.outcome import OUTCOMES, outcome_of
from app.demo.stand_in import StandIn
from app.portals import queries
from app.web.display.presenter import to_iso
from tests.calls.statistics_rows import fill
from tests.running import Callbook, FakeClock
from tests.web.browsing import install, open_tab
from tests.web.logged_calls import NOW, insert_calls

CALL_FIELDS = {
    *(
        "call_id",
        "type",
        "direction",
        "outcome",
        "code",
        "reason",
        "phone_number",
        "portal_number",
        "user_id",
    ),
    *(
        "operator",
        "started_at",
        "duration_s",
        "cost",
        "currency",
        "crm_activity_id",
        "crm_entity",
        "recording",
    ),
    *("transcript", "source", "confirmed", "vote", "comment", "legs"),
}
LEG_FIELDS = CALL_FIELDS - {"call_id", "source", "confirmed", "legs"}


@pytest.mark.quick
async def test_a_call_has_the_promised_fields(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(
        portal_id,
        {
            "call_id": "a.1",
            "type": 2,
            "code": "304",
            "reason": "Missed \x00 call",
            "user_id": 12,
            "phone_number": "+14155550142",
            "portal_number": "reg133788",
            "cost_e4": 2500,
            "currency": "USD",
            "crm_activity_id": 77,
            "crm_entity_type": "CONTACT",
            "crm_entity_id": 5,
            "has_recording": True,
            "vote": 4,
            "comment": "Call back",
            "started_at": NOW,
        },
        {
            "call_id": "b.2",
            "type": None,
            "code": None,
            "user_id": None,
            "phone_number": None,
            "duration_s": None,
        },
    )
    tab = await open_tab(callbook, stand_in.portals[0])
    await callbook.settle()
    answer = await tab.get("/api/v1/calls")
    first, second = answer.json()["items"]
    assert set(first) == set(second) == CALL_FIELDS
    assert first == {
        "call_id": "a.1",
        "type": 2,
        "direction": "in",
        "outcome": "missed",
        "code": "304",
        "reason": "Missed \x00 call",
        "phone_number": "+14155550142",
        "portal_number": "reg133788",
        "user_id": 12,
        "operator": "Jonas Falk",
        "started_at": "2026-11-18T11:06:40Z",
        "duration_s": 5,
        "cost": "0.25",
        "currency": "USD",
        "crm_activity_id": 77,
        "recording": True,
        "transcript": False,
        "crm_entity": {"type": "CONTACT", "id": 5},
        "vote": 4,
        "comment": "Call back",
        "source": "event",
        "confirmed": None,
        "legs": [{name: first[name] for name in LEG_FIELDS}],
    }
    absent = CALL_FIELDS - {"call_id", "started_at", "recording", "transcript", "source", "legs"}
    assert {name for name in CALL_FIELDS if second[name] is None} == absent
    assert (await tab.get("/api/v1/calls/a.1")).json() == first
    assert answer.headers["cache-control"] == "no-store"


async def test_administrators_see_all_others_their_own(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"user_id": 1}, {"user_id": 12}, {"user_id": None})
    admin = await open_tab(callbook, portal)
    assert await admin.list_ids() == ["call-0", "call-1", "call-2"]
    operator = await open_tab(callbook, portal, portal.operator.id)
    assert await operator.list_ids() == ["call-1"]
    assert await operator.list_ids(operator="1") == []
    assert (await operator.get("/api/v1/calls/call-1")).status_code == 200
    hidden = await operator.get("/api/v1/calls/call-0")
    missing = await operator.get("/api/v1/calls/nothing")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() == missing.json()
    assert "call-0" not in (await operator.get("/log/rows")).text
    assert (await operator.get("/log/rows")).text.count(' data-id="') == 1
    assert operator.page.text.count("data-id=") == 1
    choices = await operator.get("/log/choices")
    assert "Clara" not in choices.text


async def test_portals_are_worlds_apart(callbook: Callbook, stand_in: StandIn) -> None:
    ids = [await install(callbook, portal) for portal in stand_in.portals]
    await insert_calls(ids[0], {"call_id": "first"})
    await insert_calls(ids[1], {"call_id": "second"})
    tabs = [await open_tab(callbook, portal) for portal in stand_in.portals]
    assert [await tab.list_ids() for tab in tabs] == [["first"], ["second"]]
    assert (await tabs[0].get("/api/v1/calls/second")).status_code == 404


@pytest.mark.quick
@pytest.mark.parametrize("sort", SORTS)
async def test_pages_hold_every_call_once_in_order(callbook: Callbook, stand_in: StandIn, sort: str) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    durations = [None, 0, 5, 5, 5, 90, None, 7, -1, 2**40, 5]
    await insert_calls(
        portal_id,
        *(
            {"duration_s": duration, "started_at": NOW - index // 3, "cost_e4": duration}
            for index, duration in enumerate(durations)
        ),
    )
    tab = await open_tab(callbook, stand_in.portals[0])
    seen: list[dict[str, Any]] = []
    parameters = {"limit": "2", "sort": sort}
    while True:
        page = (await tab.get("/api/v1/calls", **parameters)).json()
        assert 0 < len(page["items"]) <= 2
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert len({call["call_id"] for call in seen}) == len(seen) == len(durations)
    key = sort.lstrip("-")
    values = [-1 if call[key] is None else call[key] for call in seen]
    values = values if key == "started_at" else [float(value) for value in values]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert await tab.list_ids(limit="500", sort=sort) == [call["call_id"] for call in seen]


@pytest.mark.quick
async def test_a_call_that_arrives_between_pages_repeats_no_row(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, {}, {}, {})
    tab = await open_tab(callbook, stand_in.portals[0])
    first = (await tab.get("/api/v1/calls", limit="2")).json()
    await insert_calls(portal_id, {"call_id": "new", "started_at": NOW + 5})
    assert await tab.list_ids(limit="2", cursor=first["next_cursor"]) == ["call-2"]


async def test_filters_find_what_they_say(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(
        portal_id,
        {"call_id": "out", "type": 1, "phone_number": "+493023125312", "portal_number": "reg1"},
        {"call_id": "in", "type": 3, "phone_number": "hidden", "user_id": 12},
        {"call_id": "back", "type": 4, "phone_number": "104", "started_at": NOW - 86_400},
        {"call_id": "info", "type": 5, "phone_number": "100%_!", "user_id": None},
        {"call_id": "odd", "type": None, "phone_number": None},
    )
    tab = await open_tab(callbook, stand_in.portals[0])
    for direction in ("out", "in", "info"):
        assert await tab.list_ids(direction=direction) == [direction]
    assert await tab.list_ids(direction="callback") == ["back"]
    assert await tab.list_ids(operator="12") == ["in"]
    assert await tab.list_ids(line="reg1") == ["out"]
    assert await tab.list_ids(line="reg") == []
    for text in ("030 / 23 12 5", "23125", "+49 30", "(0049) 30-231", "٢٣١"):
        assert await tab.list_ids(q=text) == ["out"], text
    assert await tab.list_ids(q="HIDDEN") == ["in"]
    assert set(await tab.list_ids(q="10")) == {"back", "info"}
    assert await tab.list_ids(q="%_!") == ["info"]
    assert await tab.list_ids(q="\x00'; --") == []
    assert await tab.list_ids(outcome="answered", code="603-S,OTHER", operator="1,12") == [
        *("out", "in", "odd", "back"),
    ]
    assert await tab.list_ids(code="603-S,OTHER") == []
    assert await tab.list_ids(duration_from="0:06") == await tab.list_ids(duration_to="4") == []
    assert await tab.list_ids(recording="true") == await tab.list_ids(client="known") == []
    assert len(await tab.list_ids(recording="false", client="unknown", duration_from="5")) == 5
    assert await tab.list_ids(to="2026-11-17") == ["back"]
    assert set(await tab.list_ids(**{"from": "2026-11-18"})) == {"out", "in", "info", "odd"}
    assert await tab.list_ids(**{"from": "2026-11-18T11:06:40Z", "to": "2026-11-18T11:06:41Z"}) == ["out"]


async def test_the_outcome_filter_says_what_the_outcome_says(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    codes = ["200", "304", "603", "603-S", "486", "480", "484", "503", "403", "OTHER", "x\x00", "", None]
    calls = [
        {"call_id": f"{call_type}/{index}", "type": call_type, "code": code, "started_at": NOW}
        for call_type in (1, 2, 3, 4, 5, 9, None)
        for index, code in enumerate(codes)
    ]
    await insert_calls(portal_id, *calls)
    tab = await open_tab(callbook, stand_in.portals[0])
    for outcome in OUTCOMES:
        expected = {
            call["call_id"]
            for call in calls
            if (outcome_of(call["type"], call["code"]) or "unknown") == outcome  # type: ignore[arg-type]
        }
        assert expected
        assert set(await tab.list_ids(outcome=outcome, limit="500")) == expected, outcome


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": "0"},
        {"limit": "501"},
        {"cursor": "x"},
        {"outcome": "lost"},
        {"from": "soon"},
        {"sort": "price"},
        {"code": "1" * 256},
        {"operator": "1,x"},
        {"duration_from": "soon"},
        {"recording": "yes"},
        {"client": "some"},
    ],
)
async def test_what_cannot_be_meant_is_400(
    callbook: Callbook, stand_in: StandIn, parameters: dict[str, str]
) -> None:
    await install(callbook, stand_in.portals[0])
    tab = await open_tab(callbook, stand_in.portals[0])
    answer = await tab.get("/api/v1/calls", **parameters)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "code"}
    assert next(iter(parameters)) in answer.json()["detail"]


@pytest.mark.quick
async def test_sync_tells_up_to_when_the_log_is_complete(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal = stand_in.portals[0]
    fill(portal, range(1, 61))
    await install(callbook, portal)
    tab = await open_tab(callbook, portal)
    assert (await tab.get("/api/v1/sync")).json() == {
        "complete_up_to": to_iso(clock.now()),
        "history": {"state": "complete", "done": 60, "total": 60},
        "last_event_at": None,
        "token": "ok",
        "limited": None,
        "quota_reached": False,
    }


async def test_sync_promises_nothing_before_the_history_is_complete(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    fill(portal, range(1, 20_001))
    portal.execution_s = 2.0
    rule = stand_in.fail("batch", portal=portal, network="drop")
    await install(callbook, portal)
    tab = await open_tab(callbook, portal)

    async def ask() -> tuple[object, Any]:
        answer = (await tab.get("/api/v1/sync")).json()
        return answer["complete_up_to"], answer["history"]

    assert await ask() == (None, {"state": "pending", "done": None, "total": None})
    rule.cancel()
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    await callbook.parts.histories.run_slice(found, is_forced=True)
    up_to, history = await ask()
    assert (up_to, history["state"], history["total"]) == (None, "running", 20_000)
    assert 0 < history["done"] < 20_000


async def test_the_schema_documents_the_api_and_loads_nothing(callbook: Callbook) -> None:
    answer = await callbook.client.get("/schema")
    assert answer.status_code == 200
    assert set(answer.json()["paths"]) >= {"/api/v1/calls", "/api/v1/calls/{call_id}", "/api/v1/sync"}
    names = {parameter["name"] for parameter in answer.json()["paths"]["/api/v1/calls"]["get"]["parameters"]}
    assert names == {
        *("limit", "cursor", "from", "to", "direction", "outcome", "code", "operator", "line", "q", "sort"),
        *("duration_from", "duration_to", "recording", "client", "department"),
    }
