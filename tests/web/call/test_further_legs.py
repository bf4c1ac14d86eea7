"""Calls of several legs: which viewers find and hear them, their sums, and the effect of a forged event."""

import pytest

from app.calls.log.selection.filters import Filters
from app.calls.log.summary_queries import summarize
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals.settings.visible_users import EVERYONE
from tests.calls.statistics_rows import make_row, read_portal
from tests.running import Callbook
from tests.web.browsing import Tab, install, open_tab
from tests.web.settings_forms import post_settings

SELLER, HELPER = 12, 21


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    """A call that two employees took, in two rows of the statistics; employees see their own calls."""
    portal = stand_in.portals[0]
    await install(callbook, portal)
    rows = [
        make_row(1, call_id="both", user_id=HELPER, code="304", duration_s=10, record_url="http://x/1"),
        make_row(2, call_id="both", user_id=SELLER, code="200", duration_s=30, started_at=1_790_000_050),
        make_row(3, call_id="one", user_id=HELPER, code="200", duration_s=5, record_url="http://x/2"),
    ]
    portal.state.statistics += rows
    await callbook.parts.histories.catch_up(await read_portal(portal))
    await post_settings(await open_tab(callbook, portal), employees_see="own")
    return portal


async def forge(callbook: Callbook, portal: StandInPortal, call_id: str, **told: object) -> None:
    """Send an event that any user of the portal can forge: their browser has the portal's token for
    events.
    """
    data = {"CALL_ID": call_id, "CALL_TYPE": "2", "CALL_FAILED_CODE": "200"} | told
    auth = {"member_id": portal.member_id, "application_token": portal.application_token}
    event = {"event": "ONVOXIMPLANTCALLEND", "data": data, "auth": auth}
    answer = await callbook.client.post("/events", json=event)
    assert answer.status_code == 200


async def hear(tab: Tab, call_id: str) -> int:
    headers = {"Authorization": f"Bearer {tab.token}"}
    path = f"/api/v1/calls/{call_id}/recording"
    return (await tab.callbook.client.post(path, headers=headers)).status_code


async def test_an_operator_finds_a_call_by_any_confirmed_leg(
    callbook: Callbook, portal: StandInPortal
) -> None:
    for user_id, own in ((SELLER, ["both"]), (HELPER, ["both", "one"])):
        tab = await open_tab(callbook, portal, user_id)
        assert await tab.list_ids() == own
        assert await tab.list_ids(operator=str(user_id)) == own
    admin = await open_tab(callbook, portal)
    assert await admin.list_ids(operator=str(HELPER)) == ["both", "one"]


async def test_the_summary_adds_the_rows_and_the_call_shows_one(
    callbook: Callbook, portal: StandInPortal
) -> None:
    tab = await open_tab(callbook, portal)
    (call,) = [one for one in (await tab.get("/api/v1/calls")).json()["items"] if one["call_id"] == "both"]
    assert (call["duration_s"], [leg["duration_s"] for leg in call["legs"]]) == (30, [10, 30])
    summary = await summarize((await read_portal(portal)).id, EVERYONE, Filters())
    assert (summary.calls, summary.talk_s) == (2, 10 + 30 + 5)


@pytest.mark.parametrize("start", ["2030-01-01T00:00:00+00:00", "2026-09-21T16:26:43+02:00", None])
async def test_a_forged_event_gives_no_confirmed_call_to_the_forger(
    callbook: Callbook, portal: StandInPortal, start: str | None
) -> None:
    before = (await (await open_tab(callbook, portal)).get("/api/v1/calls/one")).json()
    told = {"PORTAL_USER_ID": str(SELLER), "CALL_DURATION": "9000", "COST": "77.0"}
    await forge(callbook, portal, "one", **told | ({"CALL_START_DATE": start} if start else {}))
    after = (await (await open_tab(callbook, portal)).get("/api/v1/calls/one")).json()
    facts = before.keys() - {"legs"}
    assert {name: after[name] for name in facts} == {name: before[name] for name in facts}
    forger, operator = await open_tab(callbook, portal, SELLER), await open_tab(callbook, portal, HELPER)
    assert await hear(forger, "one") == 404
    assert await hear(operator, "one") == 200


async def test_the_panel_marks_the_leg_of_which_only_an_event_told(
    callbook: Callbook, portal: StandInPortal
) -> None:
    admin = await open_tab(callbook, portal)
    assert "Not confirmed" not in (await admin.get("/log/calls/both")).text
    await forge(callbook, portal, "both", CALL_START_DATE="2026-10-01T10:00:00+03:00", PORTAL_USER_ID="666")
    panel = (await admin.get("/log/calls/both")).text
    assert panel.count("Not confirmed") == 1
    await forge(callbook, portal, "new", CALL_START_DATE="2026-10-01T10:00:00+03:00")
    assert "Not confirmed" not in (await admin.get("/log/calls/new")).text
