"""An address is believed if the authorization server names it; another portal's only if the server no longer
names it for that portal.
"""

import asyncio
from typing import Any

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.hostility import Hostility
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.model import Portal
from app.portals.outbound.access import PortalUnreachableError
from app.portals.outbound.moves import LOOK_EVERY_S
from app.portals.states.addresses import ASK_EVERY_S
from tests.running import Callbook, FakeClock


async def find(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


async def join(callbook: Callbook, portal: StandInPortal) -> StandInPortal:
    portal.add_app()
    assert (await portal.install(callbook.url)).status_code == 200
    await callbook.settle()
    return portal


@pytest.fixture
async def victim(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    return await join(callbook, stand_in.portals[0])


@pytest.fixture
async def liar(callbook: Callbook, stand_in: StandIn, victim: StandInPortal) -> StandInPortal:
    """A second portal, installed at its own address."""
    return await join(callbook, stand_in.portals[1])


@pytest.mark.quick
async def test_portals_that_redirect_to_another_spend_nothing_of_it(
    callbook: Callbook, stand_in: StandIn, victim: StandInPortal
) -> None:
    liars = [await join(callbook, await stand_in.add_portal()) for _ in range(6)]
    before, asked = victim.counts["rest"], stand_in.counts["app.info"]
    for portal in liars:
        portal.hostility = Hostility().towards(victim.origin)
        for _ in range(20):
            with pytest.raises(PortalUnreachableError):
                await callbook.parts.access.call(await find(portal), "user.get", {})
            token = portal.issue_pair().access_token
            with pytest.raises(PortalUnreachableError):
                await callbook.parts.access.use_as(
                    await find(portal), token, lambda client, token: client.call("profile", {}, token)
                )
        assert (await find(portal)).domain == portal.domain
    assert victim.counts["rest"] == before
    assert stand_in.counts["app.info"] - asked == len(liars)  # Each causes one question in ten minutes.
    assert (await callbook.parts.access.call(await find(victim), "user.get", {})).result


async def test_a_page_of_a_portal_that_redirects_to_another_opens_nothing(
    callbook: Callbook, victim: StandInPortal, liar: StandInPortal
) -> None:
    liar.hostility = Hostility().towards(victim.origin)
    before = victim.counts["rest"]
    for _ in range(3):
        assert (await liar.open_page()).status_code == 503
    assert victim.counts["rest"] == before
    assert (await find(liar)).domain == liar.domain


@pytest.mark.parametrize("path", ["page", "silence", "refresh", "installation"])
async def test_an_address_that_another_portal_has_is_not_believed_while_the_server_names_it_for_that_one(
    callbook: Callbook,
    stand_in: StandIn,
    victim: StandInPortal,
    liar: StandInPortal,
    clock: FakeClock,
    path: str,
) -> None:
    before, own = victim.counts["rest"], liar.client_endpoint
    liar.listed_endpoint = victim.client_endpoint
    stand_in.lie("oauth.refresh", _naming(victim), portal=liar)
    if path == "page":
        await liar.open_page()
    elif path == "silence":
        stand_in.fail("rest", network="drop", portal=liar)
        with pytest.raises(PortalUnreachableError):
            await callbook.parts.access.call(await find(liar), "user.get", {})
    elif path == "refresh":
        clock.advance(3601)
        version = (await find(liar)).token_version
        assert (await callbook.parts.access.call(await find(liar), "user.get", {})).result
        assert (await find(liar)).token_version > version  # The pair is stored even so.
    else:
        answer = await liar.install(callbook.url)
        assert answer.status_code == 409
        assert "another Bitrix24" in answer.text.lower() or "Another Bitrix24" in answer.text
    await callbook.settle()
    assert (await find(liar)).client_endpoint == own
    assert (await find(victim)).client_endpoint == victim.client_endpoint
    assert victim.counts["rest"] == before


def _naming(portal: StandInPortal) -> Any:
    endpoint = portal.client_endpoint
    return lambda body: body | {"client_endpoint": endpoint}


async def test_an_address_is_believed_once_its_portal_has_left_it_which_then_goes_on_too(
    callbook: Callbook, stand_in: StandIn, victim: StandInPortal, liar: StandInPortal, clock: FakeClock
) -> None:
    """Two portals swap servers, and only the authorization server knows."""
    left = victim.client_endpoint
    await victim.move(leaves_redirect=False)
    liar.listed_endpoint = left
    stand_in.fail("rest", network="drop", portal=liar)
    with pytest.raises(PortalUnreachableError):
        await callbook.parts.access.call(await find(liar), "user.get", {})
    assert (await find(liar)).client_endpoint == left
    assert (await find(victim)).client_endpoint == victim.client_endpoint
    assert (await callbook.parts.access.call(await find(victim), "user.get", {})).result


async def test_the_server_is_asked_about_the_other_portal_once_in_ten_minutes(
    callbook: Callbook, stand_in: StandIn, victim: StandInPortal, liar: StandInPortal, clock: FakeClock
) -> None:
    liar.listed_endpoint = victim.client_endpoint
    asked, own = victim.counts["app.info"], liar.counts["app.info"]
    for _ in range(5):
        await liar.open_page()
    assert victim.counts["app.info"] - asked == 1
    assert liar.counts["app.info"] - own == 5 + 1  # One for each token, and one more for the address.
    clock.advance(max(ASK_EVERY_S, LOOK_EVERY_S))
    await liar.open_page()
    assert victim.counts["app.info"] - asked == 2


async def test_all_callers_that_ask_about_a_portal_that_has_left_hear_the_same(
    callbook: Callbook, stand_in: StandIn, victim: StandInPortal, liar: StandInPortal, clock: FakeClock
) -> None:
    """A portal that was set up again at its old host brings its page and its event, at once or one by one."""
    await victim.uninstall(send=False)
    addresses = callbook.parts.access._moves.addresses  # noqa: SLF001
    asked, gate = stand_in.counts["app.info"], stand_in.hold("app.info", when="before", times=1)
    both = [asyncio.create_task(addresses.is_free(victim.client_endpoint, liar.member_id)) for _ in "12"]
    await gate.reached()
    gate.release()
    assert await asyncio.gather(*both) == [True, True]
    assert await addresses.is_free(victim.client_endpoint, liar.member_id)
    assert stand_in.counts["app.info"] - asked == 1
    victim.add_app()
    assert (await victim.install(callbook.url)).status_code == 200
    assert not await addresses.is_free(victim.client_endpoint, liar.member_id)


async def test_an_uninstalled_portal_holds_no_address(
    callbook: Callbook, victim: StandInPortal, liar: StandInPortal
) -> None:
    await victim.uninstall(clean=False)
    await callbook.settle()
    stored = await find(liar)
    assert await callbook.parts.access._moves.addresses.adopt(stored, victim.client_endpoint)  # noqa: SLF001
    assert (await find(liar)).domain == victim.domain
