import asyncio
from typing import Any

import httpx
import pytest

from app.bitrix24.methods.cards import CARDS
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals.entrance.setup import EVENTS, LINK, OPTIONAL_EVENTS, PLACEMENT
from tests.portals.portal_rows import read_pair, read_portal
from tests.running import CLIENT_SECRET, Callbook, FakeClock, run_callbook


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    portal.add_app()
    return portal


@pytest.fixture
def other(stand_in: StandIn) -> StandInPortal:
    other = stand_in.portals[1]
    other.add_app()
    return other


ALL_EVENTS = sorted([*EVENTS, *OPTIONAL_EVENTS])


def bound_events(portal: StandInPortal) -> list[str]:
    return sorted(binding.event.upper() for binding in portal.installation.events)


async def test_page_installs_binds_and_ends_with_the_wizard(
    callbook: Callbook, portal: StandInPortal
) -> None:
    answer = await portal.install(callbook.url)
    await callbook.settle()
    assert answer.status_code == 200
    row = await read_portal(callbook, portal.member_id)
    assert (row["state"], row["generation"], row["token_state"]) == ("installed", 1, "ok")
    assert (row["domain"], row["client_endpoint"]) == (portal.domain, portal.client_endpoint)
    assert bound_events(portal) == ALL_EVENTS
    assert [placement.placement for placement in portal.installation.placements] == [
        PLACEMENT,
        LINK,
        *CARDS,
    ]


async def test_event_alone_installs_and_binds(callbook: Callbook, portal: StandInPortal) -> None:
    answer = await portal.install_event()
    await callbook.settle()
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert bound_events(portal) == ALL_EVENTS
    assert (await read_portal(callbook, portal.member_id))["application_token_hash"] is not None


@pytest.mark.quick
@pytest.mark.parametrize("is_page_first", [True, False])
async def test_page_and_event_in_any_order_give_one_portal(
    callbook: Callbook, portal: StandInPortal, *, is_page_first: bool
) -> None:
    for is_page in (is_page_first, not is_page_first):
        answer = await (portal.install(callbook.url) if is_page else portal.install_event())
        assert answer.status_code == 200
    await callbook.settle()
    assert (await callbook.run_sql("SELECT COUNT(*) AS n FROM portals"))[0]["n"] == 1
    assert (await read_portal(callbook, portal.member_id))["generation"] == 1


async def test_ten_installations_at_once_give_one_portal(callbook: Callbook, portal: StandInPortal) -> None:
    answers = await asyncio.gather(
        *(portal.install(callbook.url) for _ in range(5)), *(portal.install_event() for _ in range(5))
    )
    await callbook.settle()
    assert {answer.status_code for answer in answers} == {200}
    assert (await callbook.run_sql("SELECT COUNT(*) AS n FROM portals"))[0]["n"] == 1
    assert bound_events(portal) == ALL_EVENTS


async def test_late_event_does_not_replace_a_newer_pair(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    late = portal.issue_pair()
    clock.advance(5)
    await portal.install(callbook.url)
    newer = await read_pair(callbook, portal.member_id)
    answer = await portal.install_event(access_token=late.access_token, refresh_token=late.refresh_token)
    await callbook.settle()
    assert answer.status_code == 200
    assert await read_pair(callbook, portal.member_id) == newer


@pytest.mark.quick
async def test_reinstallation_after_an_uninstall_keeps_the_portal_and_its_calls(
    callbook: Callbook, portal: StandInPortal
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    await portal.end_call()
    before = await read_portal(callbook, portal.member_id)
    await portal.uninstall(clean=False)
    await portal.install(callbook.url)
    await callbook.settle()
    after = await read_portal(callbook, portal.member_id)
    assert (after["id"], after["state"], after["erase_at"]) == (before["id"], "installed", None)
    assert after["generation"] == before["generation"] + 2
    assert (await callbook.run_sql("SELECT COUNT(*) AS n FROM calls"))[0]["n"] == 1


async def test_lost_bindings_heal_when_an_admin_opens_the_app(
    callbook: Callbook, portal: StandInPortal
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    portal.installation.events.clear()
    portal.installation.placements.clear()
    assert (await portal.open_page("/")).status_code == 200
    await callbook.settle()
    assert bound_events(portal) == ALL_EVENTS
    assert len(portal.installation.placements) == 6


async def test_update_event_brings_a_new_application_token(callbook: Callbook, portal: StandInPortal) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    assert (await portal.update_event(drops_bindings=True)).status_code == 200
    await callbook.settle()
    assert bound_events(portal) == ALL_EVENTS
    assert (await portal.end_call()).responses[0].json() == {"status": "ok"}


@pytest.mark.quick
async def test_a_step_that_fails_is_told_and_stops_no_other(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    stand_in.fail("placement.bind", code="insufficient_scope", status=403)
    await portal.install(callbook.url)
    await callbook.settle()
    setup = (await read_portal(callbook, portal.member_id))["setup"]
    assert '"code":"insufficient_scope"' in setup
    assert '"remedy":"Give Callbook' in setup
    assert bound_events(portal) == ALL_EVENTS


# Forgeries


async def forge_page(portal: StandInPortal, **changes: str) -> httpx.Response:
    query, form = portal.page_form()
    for name, value in changes.items():
        (query if name in query else form)[name] = value
    return await portal.stand_in.http.post(f"{portal.stand_in.app_url}/install", params=query, data=form)


async def assert_nothing_changed(
    callbook: Callbook, stand_in: StandIn, before: dict[str, object], member_id: str
) -> None:
    await callbook.settle()
    assert await read_portal(callbook, member_id) == before
    for request in stand_in.requests_with(CLIENT_SECRET):
        assert request.path.strip("/") == "oauth/token"


async def test_forged_pages_are_refused_and_the_other_portal_is_unchanged(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, other: StandInPortal
) -> None:
    await other.install(callbook.url)
    await callbook.settle()
    before = await read_portal(callbook, other.member_id)
    plain = portal.issue_pair(portal.operator)
    foreign = portal.issue_pair(client_id="app.somebody.else")
    forgeries = [
        ({"member_id": other.member_id}, "wrong_portal"),
        ({"DOMAIN": other.domain}, "wrong_domain"),
        ({"DOMAIN": "["}, "wrong_domain"),
        ({"AUTH_ID": plain.access_token, "REFRESH_ID": plain.refresh_token}, "not_admin"),
        ({"AUTH_ID": foreign.access_token, "REFRESH_ID": foreign.refresh_token}, "wrong_app"),
        ({"SERVER_ENDPOINT": "https://evil.example/rest/"}, "authorization_server_refused"),
        ({"AUTH_ID": "0" * 40}, "token_rejected"),
        ({"AUTH_ID": "x"}, "malformed"),
        ({"member_id": "../../etc"}, "malformed"),
    ]
    for changes, _ in forgeries:
        answer = await forge_page(portal, **changes)
        assert answer.status_code == 403, changes
        assert answer.headers["content-type"].startswith("text/html")
        assert portal.member_id not in answer.text
    await assert_nothing_changed(callbook, stand_in, before, other.member_id)
    assert (await callbook.run_sql("SELECT COUNT(*) AS n FROM portals"))[0]["n"] == 1


@pytest.mark.quick
async def test_forged_install_events_are_refused(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, other: StandInPortal
) -> None:
    await other.install(callbook.url)
    await callbook.settle()
    before = await read_portal(callbook, other.member_id)
    plain = other.issue_pair(other.operator)
    mine = portal.issue_pair()
    forgeries: list[dict[str, Any]] = [
        {
            "access_token": plain.access_token,
            "refresh_token": plain.refresh_token,
            "application_token": "f" * 32,
        },
        {"access_token": mine.access_token, "member_id": other.member_id, "application_token": "f" * 32},
        {"server_endpoint": "https://evil.example/rest/", "application_token": "f" * 32},
    ]
    for changes in forgeries:
        answer = await other.install_event(**changes)
        assert (answer.status_code, answer.json()["error"]) == (403, "invalid_application_token")
    await assert_nothing_changed(callbook, stand_in, before, other.member_id)


async def test_an_address_that_may_not_be_contacted_is_refused(
    database_url: str, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    async with run_callbook(database_url, stand_in, clock, private_portals=()) as strict:
        answer = await portal.install(strict.url)
        assert answer.status_code == 403
        assert await strict.run_sql("SELECT * FROM portals") == []
        assert stand_in.counts["profile"] == 0


async def test_authorization_server_away_is_told_and_can_be_tried_again(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    stand_in.fail("app.info", network="drop", times=1)
    assert (await portal.install(callbook.url)).status_code == 503
    assert (await portal.install(callbook.url)).status_code == 200


async def test_a_page_of_an_admin_brings_a_new_application_token_whose_event_never_came(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    before = await read_portal(callbook, portal.member_id)
    await portal.open_page("/")
    await callbook.settle()
    after = await read_portal(callbook, portal.member_id)
    seen = {"synced_at": after["synced_at"], "seen_at": clock.now()}  # An opened tab causes one read.
    assert after == before | seen
    portal.installation.application_token = "0" * 32
    clock.advance(1)
    assert (await portal.end_call()).response.status_code == 403
    await portal.open_page("/", user=portal.operator)
    assert (await portal.end_call()).response.status_code == 403
    await portal.open_page("/")
    assert (await portal.end_call()).response.status_code == 200
