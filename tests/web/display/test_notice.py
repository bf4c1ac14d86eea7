"""The bar above the log, the pages of a portal that refuses, and the click that reconnects it."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.state import RestRefusal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.model import Portal
from app.portals.outbound.access import PortalPausedError
from tests.portals.portal_rows import read_pair
from tests.running import Callbook, FakeClock
from tests.web.browsing import Tab, install, open_tab
from tests.web.log.test_live_updates import follow

BAR = re.compile(r'<div id="notice".*?</div>\s*(?:</div>)?', re.DOTALL)
TAGS = re.compile(r"<[^>]+>")
DAY_S = 86_400


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    return portal


async def find(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


async def read_bar(tab: Tab) -> str:
    found = BAR.search((await tab.get("/log/rows")).text)
    assert found is not None
    return " ".join(unescape(TAGS.sub("", found[0])).split())


async def kill_token(callbook: Callbook, stand_in: StandIn, portal: StandInPortal) -> None:
    """Kill the pair, as after 180 days; the next use finds it dead."""
    portal.expire_access_tokens()
    stand_in.fail("oauth.refresh", code="invalid_grant", portal=portal)
    with pytest.raises(Exception, match="reconnected"):
        await callbook.parts.access.call(await find(portal), "user.get", {})
    stand_in.heal()


async def reconnect(callbook: Callbook, portal: StandInPortal, user: int, **changes: Any) -> httpx.Response:
    pair = portal.issue_pair(user)
    body = {"member_id": portal.member_id, "auth_id": pair.access_token, "refresh_id": pair.refresh_token}
    return await callbook.client.post("/reconnect", json=body | changes)


@pytest.mark.quick
async def test_a_dead_token_is_told_in_an_open_tab_and_an_administrators_click_mends_it(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    callbook.parts.streams.pause_s, callbook.parts.streams.recheck_s = 0.01, 0.05
    admins, others = await open_tab(callbook, portal), await open_tab(callbook, portal, portal.operator.id)
    assert (await read_bar(admins), await read_bar(others)) == ("", "")
    async with follow(others) as events:
        assert await anext(events) == "changed"
        await kill_token(callbook, stand_in, portal)
        assert await anext(events) == "changed"  # No announcement came: the stream looks by itself.
    assert "lost its access" in await read_bar(admins)
    assert (await read_bar(admins)).endswith("Reconnect")
    assert (await read_bar(others)).endswith(
        "An administrator of your Bitrix24 can reconnect Callbook by opening it."
    )
    assert (await admins.get("/api/v1/sync")).json()["token"] == "reinstall_needed"

    refused = await reconnect(callbook, portal, portal.operator.id)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_admin")
    assert (await find(portal)).token_state == "reinstall_needed"
    answer = await reconnect(callbook, portal, portal.admin.id)
    assert (answer.status_code, answer.json()) == (200, {"token": "ok"})
    assert (await read_bar(admins), await read_bar(others)) == ("", "")
    await callbook.settle()
    await callbook.parts.access.call(await find(portal), "user.get", {})


async def test_a_new_session_without_a_refresh_token_leaves_the_banner_to_the_click(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    await kill_token(callbook, stand_in, portal)
    body = {"member_id": portal.member_id, "auth_id": portal.issue_pair().access_token}
    token = (await callbook.client.post("/session", json=body)).json()["token"]
    query, form = portal.page_form()
    page = await callbook.client.post("/", params=query, data=form | {"REFRESH_ID": ""})
    assert "data-reconnect" in page.text
    assert "Reconnect" in await read_bar(Tab(callbook, page, token))
    # A whole page of an administrator reconnects it without a click.
    whole = await open_tab(callbook, portal)
    assert "data-reconnect" not in whole.page.text
    assert await read_bar(Tab(callbook, page, token)) == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"member_id": 5}', b'{"member_id": "x"}', b'{"auth_id": "\\ud800", "refresh_id": "a"}'],
)
async def test_what_is_no_pair_is_refused_without_an_outbound_request(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, body: bytes
) -> None:
    before = stand_in.counts.total()
    assert (await callbook.client.post("/reconnect", content=body)).status_code == 403
    assert (await reconnect(callbook, portal, portal.admin.id, refresh_id="")).status_code == 403
    assert stand_in.counts.total() == before


async def test_a_click_where_nothing_is_broken_changes_no_pair(
    callbook: Callbook, portal: StandInPortal
) -> None:
    before = await read_pair(callbook, portal.member_id)
    assert (await reconnect(callbook, portal, portal.admin.id)).json() == {"token": "ok"}
    assert await read_pair(callbook, portal.member_id) == before


@pytest.mark.parametrize(
    ("refusal", "admins", "others"),
    [
        ("payment_required", "Pay for Callbook", "An administrator can pay"),
        ("portal_closed", "waits until it is open again", "waits until it is open again"),
        ("plan_without_rest", "start the Market trial", "An administrator can change the plan"),
    ],
)
async def test_each_state_has_its_text_in_an_open_tab_and_its_page(
    callbook: Callbook,
    stand_in: StandIn,
    portal: StandInPortal,
    refusal: RestRefusal,
    admins: str,
    others: str,
) -> None:
    tabs = [await open_tab(callbook, portal, user) for user in (portal.admin.id, portal.operator.id)]
    portal.state.rest_refusal = refusal
    page = await portal.open_page("/")
    assert page.status_code == 403
    assert "Nothing is lost" in page.text
    assert "Callbook cannot be opened" not in page.text
    assert (await find(portal)).contact_state == refusal  # The page was evidence enough.
    bars = [await read_bar(tab) for tab in tabs]
    assert admins in bars[0]
    assert others in bars[1]
    portal.state.rest_refusal = None
    await open_tab(callbook, portal)
    assert [await read_bar(tab) for tab in tabs] == ["", ""]


async def test_a_person_who_is_kept_out_reads_whom_to_ask_and_marks_no_portal(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal.operator.is_app_allowed = False
    page = await portal.open_page("/", user=portal.operator.id)
    assert page.status_code == 403
    assert "Ask the administrator to add you" in page.text
    assert (await find(portal)).contact_state == "ok"


async def test_the_authorization_servers_word_that_payment_is_due_is_a_page_of_its_own_too(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    stand_in.fail("app.info", code="PAYMENT_REQUIRED", status=402, portal=portal, times=1)
    query, form = portal.page_form()
    page = await callbook.client.post("/", params=query, data=form)
    assert (page.status_code, "asks for payment" in page.text) == (403, True)
    assert (await callbook.client.post("/", params=query, data=form)).status_code == 200


async def test_a_restricted_owner_is_named_and_another_administrator_may_reconnect(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal.operator.is_admin = True
    tab = await open_tab(callbook, portal, portal.operator.id)
    portal.admin.is_app_allowed = False
    with pytest.raises(PortalPausedError):
        await callbook.parts.access.call(await find(portal), "user.get", {})
    assert (await read_bar(tab)).startswith(f"{portal.admin.full_name} may no longer use Callbook")
    assert (await reconnect(callbook, portal, portal.operator.id)).json() == {"token": "ok"}
    assert await read_bar(tab) == ""
    assert (await find(portal)).token_user_id == portal.operator.id


async def test_statistics_that_the_owner_may_not_view_are_told_with_the_remedy(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal.admin.statistics_right = "none"
    await callbook.run_sql("DELETE FROM statistics_marks")
    await callbook.parts.histories.run_slice(await find(portal))
    assert (await find(portal)).contact_state == "ok"
    bar = await read_bar(await open_tab(callbook, portal))
    assert bar.startswith("Older calls cannot be read")
    assert portal.admin.full_name in bar
    assert await read_bar(await open_tab(callbook, portal, portal.operator.id)) == ""


@pytest.mark.parametrize(
    ("status", "days", "shown"),
    [
        ("L", None, ""),
        ("F", None, ""),
        ("D", 12, "Trial: 12 days left"),
        ("T", 1, "Trial: 1 day left"),
        ("T", -1, "The trial is over Pay for Callbook in the Bitrix24 Market"),
        ("P", 200, ""),
        ("P", 7, "Paid for 7 more days"),
        ("S", 3, "Paid for 3 more days"),
        ("S", -2, "Your Callbook subscription has ended"),
    ],
)
async def test_what_an_administrator_reads_by_the_apps_status(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock, status: str, days: int | None, shown: str
) -> None:
    ends_at = "NULL" if days is None or days < 0 else str(clock.now() + days * DAY_S)
    over = "TRUE" if days is not None and days < 0 else "FALSE"
    await callbook.run_sql(
        f"UPDATE portals SET license_status = '{status}', license_ends_at = {ends_at},"
        f" is_license_over = {over}"
    )
    portal.installation.status, portal.installation.days = status, days
    tab = await open_tab(callbook, portal)
    assert (await read_bar(tab)).startswith(shown)
    assert bool(shown) is bool(await read_bar(tab))
    assert await read_bar(await open_tab(callbook, portal, portal.operator.id)) == ""
