"""A portal that moves keeps its log and keeps working, no matter which part of Callbook learns of it
first.
"""

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.model import Portal
from app.portals.outbound.access import PortalUnreachableError
from tests.portals.states.test_contact import make_second
from tests.running import Callbook, FakeClock
from tests.web.browsing import install, open_tab

HOUR_S = 3600


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    await portal.end_call()
    return portal


async def find(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


async def call(callbook: Callbook, portal: StandInPortal) -> None:
    assert (await callbook.parts.access.call(await find(portal), "user.get", {})).result


@pytest.mark.quick
async def test_one_that_left_no_redirect_is_found_by_its_living_token(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    await portal.move(leaves_redirect=False)
    await call(callbook, portal)
    found = await find(portal)
    assert (found.client_endpoint, found.domain) == (portal.client_endpoint, portal.domain)
    assert stand_in.counts["oauth.refresh"] == 0


async def test_one_that_left_no_redirect_is_found_by_a_refresh_when_the_token_has_expired(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await portal.move(leaves_redirect=False)
    clock.advance(6 * HOUR_S)
    await call(callbook, portal)
    assert (await find(portal)).client_endpoint == portal.client_endpoint
    assert stand_in.counts["oauth.refresh"] == 1


async def test_one_that_is_only_down_causes_four_refreshes_a_day_at_most(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await stand_in.stop_listening(portal.state.port)
    before = stand_in.counts["app.info"]
    for _ in range(48):
        clock.advance(HOUR_S // 2)
        with pytest.raises(PortalUnreachableError):
            await call(callbook, portal)
    assert 0 < stand_in.counts["oauth.refresh"] <= 4
    assert stand_in.counts["app.info"] - before <= 8
    assert (await find(portal)).token_state == "ok"


async def test_an_open_tab_its_session_and_another_process_go_on_after_a_move(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    tab, token = await open_tab(callbook, portal), portal.issue_pair().access_token
    old, second = await find(portal), make_second(callbook, clock)
    await portal.move()
    assert len(await tab.list_ids()) == 1
    body = {"member_id": portal.member_id, "auth_id": token}
    renewed = await callbook.client.post("/session", json=body)
    assert renewed.status_code == 200
    assert (await find(portal)).client_endpoint == portal.client_endpoint
    await callbook.settle()
    asked = stand_in.counts["rest"]
    # The second access holds the portal as it was before.
    assert (await second.call(old, "user.get", {})).result
    assert stand_in.counts["rest"] == asked + 1
    assert len(await tab.list_ids()) == 1
    await portal.end_call()
    assert len(await tab.list_ids()) == 2


async def test_a_redirect_is_believed_once_the_server_names_its_address(
    callbook: Callbook, portal: StandInPortal
) -> None:
    before = portal.listed_endpoint = portal.client_endpoint
    await portal.move()
    page = await portal.open_page()
    assert page.status_code == 503
    assert (await find(portal)).client_endpoint == before
    portal.listed_endpoint = None
    for _ in range(2):
        tab = await open_tab(callbook, portal)
        policy = tab.page.headers["content-security-policy"]
        assert policy.endswith(f"frame-ancestors {portal.origin}")
        assert f'<meta name="portal" content="{portal.origin}">' in tab.page.text
        assert (await find(portal)).client_endpoint == portal.client_endpoint


async def test_a_reinstallation_at_a_new_address_keeps_it_and_the_log(
    callbook: Callbook, portal: StandInPortal
) -> None:
    await portal.move(leaves_redirect=False)
    await portal.uninstall(clean=False)
    await install(callbook, portal)
    found = await find(portal)
    assert (found.client_endpoint, found.domain) == (portal.client_endpoint, portal.domain)
    assert len(await (await open_tab(callbook, portal)).list_ids()) == 1
