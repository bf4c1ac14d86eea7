"""When the authorization server rejects our secret, other portals are the witnesses."""

import asyncio

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.outbound.access import PortalNotConnectedError, PortalUnreachableError
from app.web.health import find_problems
from tests.portals.tokens.installed_portals import add_installed, stored
from tests.running import Callbook, FakeClock


async def test_invalid_client_of_one_portal_marks_it_when_another_succeeds(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    installed.expire_access_tokens()
    stand_in.fail("oauth.refresh", code="invalid_client", portal=installed)
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    assert (await stored(callbook, installed)).token_state == "reinstall_needed"
    assert (await stored(callbook, stand_in.portals[1])).token_state == "ok"
    assert "client_secret_rejected" not in await find_problems(callbook.parts)


async def test_two_portals_that_are_gone_do_not_vouch_for_each_other(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    await add_installed(callbook, stand_in)
    gone = [installed, stand_in.portals[1]]
    for portal in gone:
        portal.expire_access_tokens()
        stand_in.fail("oauth.refresh", code="invalid_client", portal=portal)
    for portal in gone:
        with pytest.raises(PortalNotConnectedError):
            await callbook.parts.access.call(await stored(callbook, portal), "user.get", {})
    states = [(await stored(callbook, portal)).token_state for portal in stand_in.portals]
    assert states == ["reinstall_needed", "reinstall_needed", "ok"]
    assert "client_secret_rejected" not in await find_problems(callbook.parts)


async def test_a_witness_whose_own_pair_is_dead_shows_that_our_secret_is_accepted(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    installed.expire_access_tokens()
    stand_in.fail("oauth.refresh", code="invalid_client", portal=installed)
    stand_in.fail("oauth.refresh", code="invalid_grant", portal=stand_in.portals[1])
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    assert (await stored(callbook, installed)).token_state == "reinstall_needed"


async def test_a_witness_that_is_not_reached_says_nothing_of_our_secret(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    installed.expire_access_tokens()
    stand_in.fail("oauth.refresh", code="invalid_client", portal=installed)
    stand_in.fail("oauth.refresh", network="drop", portal=stand_in.portals[1])
    with pytest.raises(PortalUnreachableError):
        await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    assert (await stored(callbook, installed)).token_state == "ok"
    assert "client_secret_rejected" not in await find_problems(callbook.parts)


async def test_a_portal_that_is_left_alone_is_no_witness(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    paused = [stand_in.portals[1]]
    for _ in range(2):
        clock.advance(1)
        paused.append(await add_installed(callbook, stand_in))
    clock.at -= 10  # So that this portal is asked last.
    fine = await add_installed(callbook, stand_in)
    for portal in paused:
        await queries.update_locked(
            (await stored(callbook, portal)).id, {"contact_state": "payment_required", "contact_failures": 1}
        )
    stand_in.fail("oauth.refresh", code="invalid_client", portal=installed)
    installed.expire_access_tokens()
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    assert [portal.counts["oauth.refresh"] for portal in (*paused, fine)] == [0, 0, 0, 1]
    assert (await stored(callbook, installed)).token_state == "reinstall_needed"


async def test_the_three_portals_that_were_renewed_last_are_the_witnesses(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    newest = []
    for _ in range(3):
        clock.advance(1)
        newest.append(await add_installed(callbook, stand_in))
    stand_in.fail("oauth.refresh", code="invalid_client")
    installed.expire_access_tokens()
    with pytest.raises(PortalUnreachableError):
        await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    asked = [stand_in.faults.counts_by_portal[portal.member_id]["oauth.refresh"] for portal in newest]
    assert asked == [1, 1, 1]
    assert stand_in.counts["oauth.refresh"] == 4


@pytest.mark.quick
async def test_invalid_client_of_all_is_our_secret_and_marks_nobody(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    stand_in.fail("oauth.refresh", code="invalid_client", status=401)
    for portal in stand_in.portals:
        portal.expire_access_tokens()
    found = [await stored(callbook, portal) for portal in stand_in.portals]
    calls = (callbook.parts.access.call(portal, "user.get", {}) for portal in found)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, PortalUnreachableError) for result in results)
    for portal in stand_in.portals:
        assert (await stored(callbook, portal)).token_state == "ok"
    assert "client_secret_rejected" in await find_problems(callbook.parts)
    assert (await callbook.client.get("/readyz")).status_code == 200
    stand_in.heal()
    asked = stand_in.counts["oauth.refresh"]
    with pytest.raises(PortalUnreachableError):
        await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    assert stand_in.counts["oauth.refresh"] == asked  # No further question within a minute.
    clock.advance(60)
    await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    assert "client_secret_rejected" not in await find_problems(callbook.parts)
