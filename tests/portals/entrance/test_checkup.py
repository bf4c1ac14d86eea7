"""Checks of bindings that got lost unnoticed, of bindings to an older address, and of the customer's
licence.
"""

import httpx
import pytest

from app.bitrix24.methods.cards import CARDS
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.php import build_query
from app.demo.core.state import EventBinding, PlacementBinding
from app.demo.rest.events import KNOWN_EVENTS
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.entrance.setup import EVENTS, LINK, OPTIONAL_EVENTS, PLACEMENT
from app.portals.model import Portal
from app.portals.outbound.access import PortalPausedError
from app.scheduler import check_up
from tests.running import Callbook, FakeClock
from tests.web.browsing import install, open_tab

DAY_S = 86_400
ALL_EVENTS = {*EVENTS, *OPTIONAL_EVENTS}


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    return portal


async def find(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


def lose_bindings(portal: StandInPortal) -> None:
    portal.installation.events.clear()
    portal.installation.placements.clear()


def is_bound(callbook: Callbook, portal: StandInPortal) -> bool:
    events = {(one.event, one.handler) for one in portal.installation.events}
    placements = [(one.placement, one.handler) for one in portal.installation.placements]
    wanted = {(event, f"{callbook.url}/events") for event in ALL_EVENTS}
    return events == wanted and placements == [(one, f"{callbook.url}/") for one in (PLACEMENT, LINK, *CARDS)]


async def use_token(callbook: Callbook, portal: StandInPortal) -> None:
    await callbook.parts.access.call(await find(portal), "user.get", {})


@pytest.mark.quick
async def test_bindings_that_an_update_dropped_come_back_within_a_day_while_no_admin_looks(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    lose_bindings(portal)
    before = stand_in.counts.total()
    await check_up(callbook.parts)
    await callbook.settle()
    assert stand_in.counts.total() == before  # The installation has checked it already.
    clock.advance(DAY_S)
    await check_up(callbook.parts)
    await callbook.settle()
    assert stand_in.counts.total() == before  # The token has expired, and a check buys none.
    await use_token(callbook, portal)
    refreshes = stand_in.counts["oauth.refresh"]
    await check_up(callbook.parts)
    await callbook.settle()
    assert is_bound(callbook, portal)
    assert stand_in.counts["oauth.refresh"] == refreshes
    before = stand_in.counts.total()
    await check_up(callbook.parts)
    await callbook.settle()
    assert stand_in.counts.total() == before


async def test_a_call_of_which_no_event_told_makes_it_look_sooner_and_once_an_hour(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    lose_bindings(portal)
    clock.advance(1800)
    await portal.end_call()
    await callbook.parts.histories.catch_up(await find(portal))
    await check_up(callbook.parts)
    await callbook.settle()
    assert portal.installation.events == []
    clock.advance(1801)
    await portal.end_call()
    await use_token(callbook, portal)
    await callbook.parts.histories.catch_up(await find(portal))
    await check_up(callbook.parts)
    await callbook.settle()
    assert is_bound(callbook, portal)


async def test_what_an_older_address_bound_goes_and_what_is_not_for_all_stays(
    callbook: Callbook, portal: StandInPortal
) -> None:
    installation, old = portal.installation, "https://old.example.com"
    installation.events += [
        EventBinding(id=1, event="ONVOXIMPLANTCALLEND", handler=f"{old}/events"),
        EventBinding(id=2, event="ONVOXIMPLANTCALLEND", handler=f"{old}/own", auth_type=portal.operator.id),
        EventBinding(id=3, event="ONUSERADD", handler=f"{old}/events"),
    ]
    installation.placements += [
        PlacementBinding(placement=PLACEMENT, handler=f"{old}/"),
        PlacementBinding(placement="CALL_CARD", handler=f"{old}/"),
    ]
    await callbook.parts.setup.repeat(await find(portal))
    kept = {(one.event, one.handler) for one in installation.events if old in one.handler}
    assert kept == {("ONVOXIMPLANTCALLEND", f"{old}/own"), ("ONUSERADD", f"{old}/events")}
    assert [one.placement for one in installation.placements if one.handler == f"{old}/"] == ["CALL_CARD"]
    assert sum(one.event == "ONVOXIMPLANTCALLEND" for one in installation.events) == 2


async def test_any_number_of_old_bindings_is_no_failure_and_goes_by_and_by(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal.installation.events += [
        EventBinding(
            id=number, event="ONVOXIMPLANTCALLEND", handler=f"https://old{number}.example.com/events"
        )
        for number in range(1, 81)
    ]
    left = [sum("old" in one.handler for one in portal.installation.events)]
    while left[-1]:
        await callbook.parts.setup.repeat(await find(portal))
        assert '"failed"' not in (await find(portal)).setup
        left.append(sum("old" in one.handler for one in portal.installation.events))
    assert left == [80, 30, 0]


async def test_a_portal_that_does_not_know_an_optional_event_is_installed_all_the_same(
    callbook: Callbook, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(KNOWN_EVENTS, "ONAPPPAYMENT")
    portal = stand_in.portals[1]
    await install(callbook, portal)
    assert '"failed"' not in (await find(portal)).setup
    assert {one.event for one in portal.installation.events} == set(EVENTS)


async def test_the_licence_is_read_at_the_installation_and_once_a_day(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal = stand_in.portals[1]
    portal.installation.status, portal.installation.days = "T", 15
    await install(callbook, portal)
    found = await find(portal)
    assert (found.license_status, found.license_ends_at) == ("T", clock.now() + 15 * DAY_S)
    assert found.app_code == stand_in.client_id
    portal.installation.days = -1
    clock.advance(DAY_S)
    await use_token(callbook, portal)
    await check_up(callbook.parts)
    await callbook.settle()
    found = await find(portal)
    assert (found.license_ends_at, found.is_license_over) == (None, True)
    portal.installation.status, portal.installation.days = "P", 365
    await open_tab(callbook, portal, portal.operator.id)  # The page of a plain user tells only the status.
    assert (await find(portal)).license_status == "P"
    clock.advance(601)
    await open_tab(callbook, portal)
    await callbook.settle()
    found = await find(portal)
    assert (found.license_ends_at, found.is_license_over) == (clock.now() + 365 * DAY_S, False)


async def test_a_refresh_tells_the_status_too(callbook: Callbook, portal: StandInPortal) -> None:
    portal.installation.status = "S"
    portal.expire_access_tokens()
    await use_token(callbook, portal)
    assert (await find(portal)).license_status == "S"


async def send_payment(callbook: Callbook, portal: StandInPortal, token: str | None) -> httpx.Response:
    auth = {"member_id": portal.member_id} | ({} if token is None else {"application_token": token})
    data = {"CODE": "callbook", "STATUS": "P", "PAYMENT_EXPIRED": "N", "DAYS": "365"}
    body = build_query({"event": "ONAPPPAYMENT", "data": data, "auth": auth})
    return await portal.post_form(f"{callbook.url}/events", body)


async def test_a_payment_is_asked_about_and_ends_the_pause_if_it_is_true(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    portal.state.rest_refusal = "payment_required"
    with pytest.raises(PortalPausedError):
        await use_token(callbook, portal)
    clock.advance(6 * 3600)
    await callbook.run_sql(f"UPDATE portals SET contact_retry_at = {clock.now() + DAY_S}")
    before = stand_in.counts.total()
    for token in (None, "f" * 32):
        assert (await send_payment(callbook, portal, token)).status_code == 403
    await callbook.settle()
    assert stand_in.counts.total() == before  # A stranger causes no request.
    portal.state.rest_refusal = None
    portal.installation.status, portal.installation.days = "P", 365
    answer = await send_payment(callbook, portal, portal.application_token)
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    await callbook.settle()
    found = await find(portal)
    assert (found.contact_state, found.license_status) == ("ok", "P")
    before = stand_in.counts.total()
    await send_payment(callbook, portal, portal.application_token)
    await callbook.settle()
    assert stand_in.counts.total() == before
