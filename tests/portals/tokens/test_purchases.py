"""One place buys pairs: four a portal a day for all work that runs by itself, with any answers."""

import asyncio
from collections import Counter
from collections.abc import Awaitable

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.outbound.access import PortalNotConnectedError, PortalPausedError, PortalUnreachableError
from app.portals.pending_queries import KEPT_FOR_S
from app.portals.tokens.client_secret import is_client_secret_rejected
from app.portals.tokens.purchase_queries import list_witnesses
from app.portals.tokens.refresh import LEASE_S, Verdict
from app.portals.tokens.refresh_budget import REST_S, Cause
from app.scheduler import check_uninstalls, verify_pending
from app.web.health import find_problems
from tests.portals.portal_rows import read_portal
from tests.portals.tokens.installed_portals import add_installed, make_second, stored
from tests.ports import free_port
from tests.running import Callbook, FakeClock, run_callbook

HOUR_S, DAY_S = 3600, 86_400
MOST_A_DAY = DAY_S // REST_S
NOTHING_BOUGHT = (PortalNotConnectedError, PortalPausedError, PortalUnreachableError)


def count_refreshes(stand_in: StandIn, portal: StandInPortal) -> int:
    return stand_in.faults.counts_by_portal.get(portal.member_id, Counter())["oauth.refresh"]


async def use(callbook: Callbook, portal: StandInPortal) -> None:
    """Work as a job does: it reads, and learns that the token has expired."""
    portal.expire_access_tokens()
    await callbook.parts.access.call(await stored(callbook, portal), "user.get", {})


async def fail_to_use(callbook: Callbook, portal: StandInPortal) -> None:
    with pytest.raises(NOTHING_BOUGHT):
        await use(callbook, portal)


async def fail_for_a_day(callbook: Callbook, portal: StandInPortal, clock: FakeClock) -> None:
    for _ in range(24):
        clock.advance(HOUR_S)
        await fail_to_use(callbook, portal)


async def renew_everywhere(
    callbook: Callbook, portal: StandInPortal, processes: int
) -> list[Awaitable[Verdict]]:
    """Renew the same pair in so many processes at once."""
    found = await stored(callbook, portal)
    pair = await callbook.parts.vault.read_pair(found.id)
    assert pair is not None
    renewals = (make_second(callbook).renew(found.id, pair, Cause.OWN_WORK) for _ in range(processes))
    return [asyncio.create_task(renewal) for renewal in renewals]


@pytest.mark.parametrize("network", ["drop", "503"])
async def test_a_caller_that_waited_for_an_answer_that_broke_off_buys_nothing(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, network: str
) -> None:
    stand_in.fail("oauth.refresh", network=network, portal=installed)  # type: ignore[arg-type]
    gate = stand_in.hold("oauth.refresh", when="before")
    waiting = await renew_everywhere(callbook, installed, 4)
    await gate.reached()
    gate.release()
    verdicts = [await verdict for verdict in waiting]
    assert sorted(verdict.value for verdict in verdicts) == ["away", "too_soon", "too_soon", "too_soon"]
    assert count_refreshes(stand_in, installed) == 1
    # Also after the processes that looked again.
    assert (await stored(callbook, installed)).has_dangling_refresh


@pytest.mark.parametrize("network", ["drop", "half", "503", "504", "html"])
async def test_an_answer_that_is_none_may_have_bought_a_pair(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock, network: str
) -> None:
    stand_in.fail("oauth.refresh", network=network, portal=installed)  # type: ignore[arg-type]
    await fail_for_a_day(callbook, installed, clock)
    assert count_refreshes(stand_in, installed) <= MOST_A_DAY


async def test_an_authorization_server_that_is_down_has_sold_nothing(
    database_url: str, stand_in: StandIn, clock: FakeClock
) -> None:
    """After it is back, the next caller that needs a pair buys one, and does not wait for six hours."""
    down = f"http://127.0.0.1:{free_port()}"
    servers = (stand_in.oauth_origin, down)
    async with run_callbook(database_url, stand_in, clock, oauth_servers=servers) as callbook:
        portal = await add_installed(callbook, stand_in)
        clock.advance(REST_S + HOUR_S)
        before = await stored(callbook, portal)
        await callbook.run_sql(f"UPDATE portals SET oauth_server = '{down}'")
        await fail_to_use(callbook, portal)
        assert (await stored(callbook, portal)).pair_bought_at == before.pair_bought_at
        await callbook.run_sql(f"UPDATE portals SET oauth_server = '{stand_in.oauth_origin}'")
        clock.advance(HOUR_S)
        await use(callbook, portal)


@pytest.mark.parametrize("code", ["internal_server_error", "expired_token"])
async def test_a_refusal_that_does_not_say_so_may_have_bought_a_pair(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock, code: str
) -> None:
    stand_in.fail("oauth.refresh", code=code, status=500, portal=installed)
    await fail_for_a_day(callbook, installed, clock)
    assert count_refreshes(stand_in, installed) <= MOST_A_DAY


async def test_a_customer_who_has_to_pay_has_bought_nothing(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    before = (await stored(callbook, installed)).pair_bought_at
    stand_in.fail("oauth.refresh", code="payment_required", portal=installed)
    await fail_to_use(callbook, installed)
    assert (await stored(callbook, installed)).pair_bought_at == before


async def test_a_pair_of_another_portal_was_bought_all_the_same(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    """The pair is not stored."""
    before = (await stored(callbook, installed)).token_version
    other_id = stand_in.portals[1].member_id
    stand_in.lie("oauth.refresh", lambda answer: answer | {"member_id": other_id}, portal=installed)
    await fail_for_a_day(callbook, installed, clock)
    assert 1 <= count_refreshes(stand_in, installed) <= MOST_A_DAY
    assert (await stored(callbook, installed)).token_version == before


async def test_a_process_that_was_killed_while_it_asked_may_have_bought_a_pair(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    gate = stand_in.hold("oauth.refresh")
    (killed,) = await renew_everywhere(callbook, installed, 1)
    await gate.reached()
    assert (await stored(callbook, installed)).pair_bought_at == clock.now()
    clock.advance(LEASE_S)
    (heir,) = await renew_everywhere(callbook, installed, 1)
    assert await heir is Verdict.TOO_SOON
    gate.release()
    await killed


# Witnesses


async def add_witnesses(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, number: int
) -> list[StandInPortal]:
    """Add portals, each renewed later than all before, so that the last one is asked first."""
    added = []
    for _ in range(number):
        clock.advance(1)
        added.append(await add_installed(callbook, stand_in))
    return added


async def test_a_portal_that_has_just_vouched_is_not_asked_again(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    """Two portals are refused. The first asks a witness that hangs; the second asks another in the
    meantime.
    """
    other = stand_in.portals[1]
    second, first = await add_witnesses(callbook, stand_in, clock, 2)
    for portal in (installed, other):
        stand_in.fail("oauth.refresh", code="invalid_client", portal=portal)
    stand_in.fail("oauth.refresh", network="drop", portal=first)
    gate = stand_in.hold("oauth.refresh", when="before", portal=first)
    hanging = asyncio.create_task(fail_to_use(callbook, installed))
    await gate.reached()
    await fail_to_use(callbook, other)
    gate.release()
    await hanging
    assert count_refreshes(stand_in, second) == 1
    states = [(await stored(callbook, portal)).token_state for portal in (installed, other)]
    assert states == ["reinstall_needed"] * 2


async def test_witnesses_take_turns(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    witnesses = await add_witnesses(callbook, stand_in, clock, 2)
    for number, portal in enumerate(stand_in.portals[:2], 1):
        stand_in.fail("oauth.refresh", code="invalid_client", portal=portal)
        clock.advance(HOUR_S)
        await fail_to_use(callbook, portal)
        assert sorted(count_refreshes(stand_in, witness) for witness in witnesses) == [number // 2, 1]


async def test_a_dozen_portals_that_are_gone_cost_no_other_more_than_four_refreshes_a_day(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    """They are used hours apart, so that each needs a witness, and each is asked again when it is due."""
    gone = [*stand_in.portals, *await add_witnesses(callbook, stand_in, clock, 10)]
    healthy = await add_witnesses(callbook, stand_in, clock, 3)
    for portal in gone:
        stand_in.fail("oauth.refresh", code="invalid_client", portal=portal)
    clock.advance(REST_S)
    for number in range(DAY_S // 600):
        if number % 11 == 0 and number // 11 < len(gone):
            await fail_to_use(callbook, gone[number // 11])
        await check_uninstalls(callbook.parts)
        await callbook.settle()
        clock.advance(600)
    counts = [count_refreshes(stand_in, portal) for portal in healthy]
    assert 1 < max(counts) <= MOST_A_DAY, counts
    refused = [count_refreshes(stand_in, portal) for portal in gone]  # A refused refresh bought nothing.
    assert max(refused) <= 2 * MOST_A_DAY, refused
    states = {(await stored(callbook, portal)).token_state for portal in healthy}
    assert states == {"ok"}


async def test_all_at_once_gone_are_found_in_turns_though_one_alone_can_tell(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    """A portal that is refused as a witness is no witness again soon: else the same three were asked for
    ever.
    """
    (healthy,) = stand_in.portals[1:]
    gone = [installed, *await add_witnesses(callbook, stand_in, clock, 11)]
    for portal in gone:
        stand_in.fail("oauth.refresh", code="invalid_client", portal=portal)
    for _ in range(len(gone)):
        clock.advance(60)
        await fail_to_use(callbook, installed)
        if not await is_client_secret_rejected():
            break
    states = {(await stored(callbook, portal)).token_state for portal in gone}
    assert states == {"ok", "reinstall_needed"}
    assert (await stored(callbook, installed)).token_state == "reinstall_needed"
    assert count_refreshes(stand_in, healthy) == 1
    assert max(count_refreshes(stand_in, portal) for portal in gone) <= MOST_A_DAY
    assert "client_secret_rejected" not in await find_problems(callbook.parts)


async def test_while_all_witnesses_rest_no_portal_is_asked_again_and_again(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    other = stand_in.portals[1]
    clock.advance(REST_S)
    await use(callbook, other)
    stand_in.fail("oauth.refresh", code="invalid_client", portal=installed)
    clock.advance(HOUR_S)
    for _ in range(5):
        await fail_to_use(callbook, installed)
        clock.advance(600)
    assert count_refreshes(stand_in, installed) == 1
    assert (await stored(callbook, installed)).token_state == "ok"
    assert "client_secret_rejected" not in await find_problems(callbook.parts)
    clock.advance(REST_S)
    await fail_to_use(callbook, installed)
    assert (await stored(callbook, installed)).token_state == "reinstall_needed"


@pytest.mark.parametrize(
    ("ahead_s", "is_witness"), [(-REST_S, True), (1 - REST_S, False), (REST_S - 1, False), (REST_S, True)]
)
async def test_a_purchase_of_the_future_keeps_nobody_from_being_a_witness(
    callbook: Callbook,
    stand_in: StandIn,
    installed: StandInPortal,
    clock: FakeClock,
    ahead_s: int,
    *,
    is_witness: bool,
) -> None:
    """A clock that has been set back noted it."""
    other = await stored(callbook, stand_in.portals[1])
    await queries.update_locked(other.id, {"pair_bought_at": clock.now() + ahead_s})
    portal = await stored(callbook, installed)
    found = await list_witnesses(portal.id, (), clock.now(), REST_S, 3)
    assert [witness.id for witness in found] == [other.id] * is_witness


# Installations that wait


async def wait_for_verification(stand_in: StandIn, portal: StandInPortal) -> None:
    portal.add_app()
    stand_in.fail("app.info", network="drop")
    assert (await portal.install_event()).status_code == 202


@pytest.mark.parametrize("network", [None, "drop_after", "504"])
async def test_an_installation_that_waits_buys_four_pairs_at_most(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, network: str | None
) -> None:
    portal = stand_in.portals[0]
    await wait_for_verification(stand_in, portal)
    if network is not None:
        stand_in.fail("oauth.refresh", network=network)  # type: ignore[arg-type]
    for _ in range(KEPT_FOR_S // 900 - 1):
        clock.advance(900)
        await verify_pending(callbook.parts)
        await callbook.settle()
    assert 1 < stand_in.counts["oauth.refresh"] <= MOST_A_DAY


async def test_an_installation_whose_rest_is_over_is_installed(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal = stand_in.portals[0]
    await wait_for_verification(stand_in, portal)
    clock.advance(HOUR_S + 1)
    portal.expire_access_tokens()
    await verify_pending(callbook.parts)
    await callbook.settle()
    clock.advance(2 * HOUR_S)
    portal.expire_access_tokens()
    stand_in.heal()
    for _ in range(REST_S // 900):
        clock.advance(900)
        await verify_pending(callbook.parts)
        await callbook.settle()
    assert stand_in.counts["oauth.refresh"] == 2
    assert (await read_portal(callbook, portal.member_id))["state"] == "installed"
