"""Portals that refuse everything: left alone, asked again, never erased; and refusals that do not count as
such.
"""

import asyncio
from typing import get_args

import pytest

from app.bitrix24.errors import BitrixError
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.state import RestRefusal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.contact import FIRST_PAUSE_S, LONGEST_PAUSE_S, pause_s
from app.portals.model import Portal
from app.portals.outbound.access import PortalAccess, PortalPausedError
from app.scheduler import look_up, probe_paused, read_histories, renew_pairs
from tests.portals.portal_rows import count, read_portal
from tests.running import Callbook, FakeClock
from tests.web.browsing import open_tab

DAY_S = 86_400


def make_second(callbook: Callbook, clock: FakeClock) -> PortalAccess:
    """A second PortalAccess, as in another process: it shares only the database with the first."""
    first = callbook.parts.access
    return PortalAccess(first._clients, first._vault, first._refresher, first._moves, clock)  # noqa: SLF001


REFUSALS: tuple[RestRefusal, ...] = get_args(RestRefusal)


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    await portal.install(callbook.url)
    await callbook.settle()
    return portal


async def find(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


async def call(callbook: Callbook, portal: StandInPortal) -> None:
    await callbook.parts.access.call(await find(portal), "user.get", {})


async def expect_pause(callbook: Callbook, portal: StandInPortal) -> str:
    with pytest.raises(PortalPausedError) as caught:
        await call(callbook, portal)
    return caught.value.code


@pytest.mark.quick
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_portal_that_refuses_is_left_alone_and_resumed_by_itself(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock, refusal: RestRefusal
) -> None:
    await installed.end_call()
    installed.state.rest_refusal = refusal
    assert await expect_pause(callbook, installed) == refusal
    portal = await find(installed)
    assert (portal.contact_state, portal.token_state, portal.contact_since) == (refusal, "ok", clock.now())
    before = stand_in.counts.total()
    for job in (read_histories, look_up, probe_paused, renew_pairs):
        await job(callbook.parts)
    assert await expect_pause(callbook, installed) == refusal
    assert stand_in.counts.total() == before
    installed.state.rest_refusal = None
    clock.advance(FIRST_PAUSE_S)
    await probe_paused(callbook.parts)
    await callbook.settle()
    portal = await find(installed)
    assert (portal.contact_state, portal.contact_failures, portal.contact_retry_at) == ("ok", 0, 0)
    assert stand_in.counts.total() == before + 2  # The stand-in counts both `rest` and the method.
    assert await count(callbook, "calls") == 1


async def test_the_pauses_grow_from_minutes_to_a_day(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    installed.state.rest_refusal = "portal_closed"
    await expect_pause(callbook, installed)
    began_at, asked = clock.now(), stand_in.counts["rest"]
    refreshes = stand_in.counts["oauth.refresh"]
    while clock.now() < began_at + 3 * DAY_S:
        clock.advance(300)
        await probe_paused(callbook.parts)
        await callbook.settle()
    assert stand_in.counts["rest"] - asked <= 2 * 9  # Each first finds that its token has expired.
    assert stand_in.counts["oauth.refresh"] - refreshes <= 9
    assert [pause_s(failures) for failures in (0, 1, 2, 90)] == [300, 900, 2700, LONGEST_PAUSE_S]
    assert (await find(installed)).contact_since == began_at


async def test_twenty_calls_that_are_refused_at_once_count_once_and_one_of_two_processes_probes(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    installed.state.rest_refusal = "payment_required"
    portal = await find(installed)
    first = callbook.parts.access
    second = make_second(callbook, clock)
    refused = await asyncio.gather(
        *(access.call(portal, "user.get", {}) for access in (first, second) for _ in range(10)),
        return_exceptions=True,
    )
    assert all(isinstance(error, PortalPausedError) for error in refused)
    assert (await find(installed)).contact_failures == 1
    clock.advance(FIRST_PAUSE_S)
    before = stand_in.counts["profile"] + stand_in.counts["rest"]
    await asyncio.gather(
        *(access.call(portal, "user.get", {}) for access in (first, second) for _ in range(10)),
        return_exceptions=True,
    )
    assert stand_in.counts["profile"] + stand_in.counts["rest"] == before + 1
    assert (await find(installed)).contact_failures == 2


async def test_a_refresh_that_asks_for_payment_pauses_and_kills_no_pair(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    installed.expire_access_tokens()
    stand_in.fail("oauth.refresh", code="PAYMENT_REQUIRED", status=402, portal=installed)
    assert await expect_pause(callbook, installed) == "payment_required"
    row = await read_portal(callbook, installed.member_id)
    assert (row["token_state"], row["refresh_lease_id"]) == ("ok", None)
    assert await expect_pause(callbook, installed) == "payment_required"
    assert stand_in.counts["oauth.refresh"] == 1
    stand_in.heal()
    clock.advance(FIRST_PAUSE_S)
    await call(callbook, installed)
    assert (await find(installed)).contact_state == "ok"


async def test_a_method_that_the_owner_may_not_use_pauses_nothing(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    stand_in.fail("user.get", code="ACCESS_DENIED", status=403, times=1)
    with pytest.raises(BitrixError, match="access_denied"):
        await call(callbook, installed)
    assert (await find(installed)).contact_state == "ok"
    await call(callbook, installed)


async def test_a_batch_of_which_every_command_is_refused_is_a_portal_that_refuses(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    stand_in.fail("user.get", code="PORTAL_DELETED", status=403)
    with pytest.raises(PortalPausedError):
        await callbook.parts.access.batch(await find(installed), {"a": ("user.get", {})})
    assert (await find(installed)).contact_state == "portal_closed"


async def test_a_restricted_owner_is_replaced_by_an_administrator_who_may(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    installed.admin.is_app_allowed = False
    assert await expect_pause(callbook, installed) == "restricted"
    await open_tab(callbook, installed, installed.operator.id)
    # The page of a plain user ends no restriction.
    assert (await find(installed)).contact_state == "restricted"
    installed.operator.is_admin = True
    await open_tab(callbook, installed, installed.operator.id)
    portal = await find(installed)
    assert (portal.contact_state, portal.token_user_id) == ("ok", installed.operator.id)
    await call(callbook, installed)


async def test_a_page_that_opens_shows_that_the_portal_answers_again(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    installed.state.rest_refusal = "payment_required"
    await expect_pause(callbook, installed)
    installed.state.rest_refusal = None
    tab = await open_tab(callbook, installed, installed.operator.id)
    assert (await tab.get("/api/v1/sync")).json()["token"] == "ok"
    await call(callbook, installed)


@pytest.mark.parametrize(
    ("refusal", "word"),
    [
        ("payment_required", "payment_required"),
        ("portal_closed", "portal_closed"),
        ("plan_without_rest", "restricted"),
    ],
)
async def test_the_api_has_one_word_for_it(
    callbook: Callbook, installed: StandInPortal, refusal: RestRefusal, word: str
) -> None:
    tab = await open_tab(callbook, installed)
    installed.state.rest_refusal = refusal
    await expect_pause(callbook, installed)
    assert (await tab.get("/api/v1/sync")).json()["token"] == word
    await callbook.run_sql("UPDATE portals SET token_state = 'reinstall_needed'")
    assert (await tab.get("/api/v1/sync")).json()["token"] == "reinstall_needed"


async def test_a_history_waits_for_a_portal_that_refuses_and_has_not_failed(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    await callbook.run_sql("DELETE FROM statistics_marks")
    installed.state.rest_refusal = "payment_required"
    await read_histories(callbook.parts)
    await callbook.settle()
    row = (await callbook.run_sql("SELECT * FROM statistics_marks"))[0]
    assert (row["history_state"], row["failures"]) == ("pending", 0)
    installed.state.rest_refusal = None
    clock.advance(FIRST_PAUSE_S)
    await read_histories(callbook.parts)
    await callbook.settle()
    assert (await callbook.run_sql("SELECT * FROM statistics_marks"))[0]["history_state"] == "complete"


async def test_a_reinstallation_and_an_uninstallation_end_the_pause(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    installed.state.rest_refusal = "portal_closed"
    await expect_pause(callbook, installed)
    installed.state.rest_refusal = None
    await installed.uninstall(clean=False)
    assert (await find(installed)).contact_state == "ok"
    await installed.install(callbook.url)
    await callbook.settle()
    assert (await find(installed)).contact_state == "ok"
