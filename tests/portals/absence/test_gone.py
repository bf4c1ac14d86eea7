"""A portal that seems to be gone although no event announced it: after a restored backup, or an event that
came while Callbook was down.
"""

import asyncio

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals.absence import gone_guard
from app.portals.absence.gone_rules import ASK_AGAIN_AFTER_S, DAY_S, NOTHING_LEARNT_AGAIN_S
from app.portals.departure.erasure import CALLS_KEPT_S
from app.scheduler import renew_pairs
from app.web.health import find_problems
from tests.portals.absence.gone_portals import check, install_all, seem_gone
from tests.portals.portal_rows import count, read_portal
from tests.running import Callbook, FakeClock

PROBLEM = "many_portals_gone"


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    await install_all(callbook, stand_in.portals)
    await stand_in.portals[0].end_call()
    return stand_in.portals[0]


async def read_state(callbook: Callbook, portal: StandInPortal) -> tuple[str, str]:
    row = await read_portal(callbook, portal.member_id)
    return row["state"], row["token_state"]


@pytest.mark.quick
async def test_only_five_like_answers_in_a_day_uninstall_it_and_its_calls_are_kept(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    await seem_gone(callbook, stand_in, portal)
    for delay_s in ASK_AGAIN_AFTER_S:
        assert await read_state(callbook, portal) == ("installed", "reinstall_needed")
        asked = stand_in.counts["app.info"]
        await check(callbook, clock, delay_s - 1)
        assert stand_in.counts["app.info"] == asked
        await check(callbook, clock, 1)
    assert ASK_AGAIN_AFTER_S == (60, 600, 3600, 24 * 3600)
    row = await read_portal(callbook, portal.member_id)
    assert (row["state"], row["access_token"]) == ("uninstalled", None)
    assert row["erase_at"] == clock.now() + CALLS_KEPT_S
    assert await count(callbook, "calls") == 1
    assert await read_state(callbook, stand_in.portals[1]) == ("installed", "ok")


@pytest.mark.parametrize("answers", range(4))
async def test_one_other_answer_ends_it_and_the_pair_is_used_again(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, portal: StandInPortal, answers: int
) -> None:
    await seem_gone(callbook, stand_in, portal)
    for delay_s in ASK_AGAIN_AFTER_S[:answers]:
        await check(callbook, clock, delay_s)
    stand_in.heal()
    await check(callbook, clock, ASK_AGAIN_AFTER_S[answers])
    assert await read_state(callbook, portal) == ("installed", "ok")
    assert await count(callbook, "uninstall_checks") == 0


async def test_a_dead_pair_is_no_uninstall(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    await seem_gone(callbook, stand_in, portal)
    stand_in.heal()
    stand_in.fail("oauth.refresh", code="invalid_grant", portal=portal)
    for delay_s in ASK_AGAIN_AFTER_S:
        await check(callbook, clock, delay_s)
    assert await read_state(callbook, portal) == ("installed", "reinstall_needed")


async def test_silence_of_the_server_counts_for_nothing(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    await seem_gone(callbook, stand_in, portal)
    away = stand_in.fail("app.info", network="drop")
    for _ in range(2 * len(ASK_AGAIN_AFTER_S)):
        await check(callbook, clock, NOTHING_LEARNT_AGAIN_S)
    away.cancel()
    for delay_s in (NOTHING_LEARNT_AGAIN_S, *ASK_AGAIN_AFTER_S[1:]):
        assert (await read_state(callbook, portal))[0] == "installed"
        await check(callbook, clock, delay_s)
    assert (await read_state(callbook, portal))[0] == "uninstalled"


async def test_it_is_contacted_by_nothing_but_the_check(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    await seem_gone(callbook, stand_in, portal)
    asked = portal.counts.copy()
    clock.advance(30 * DAY_S)
    await renew_pairs(callbook.parts)
    await callbook.settle()
    assert portal.counts == asked


async def test_an_administrators_page_heals_it_at_once_and_ends_the_check(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    await seem_gone(callbook, stand_in, portal)
    assert (await portal.open_page("/")).status_code == 200
    await callbook.settle()
    assert await read_state(callbook, portal) == ("installed", "ok")
    assert await count(callbook, "uninstall_checks") == 0
    for delay_s in ASK_AGAIN_AFTER_S:
        await check(callbook, clock, delay_s)
    assert await read_state(callbook, portal) == ("installed", "ok")


@pytest.mark.parametrize(("is_clean", "calls_left"), [(True, 0), (False, 1)])
async def test_an_event_that_comes_after_all_is_proof_as_ever(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, *, is_clean: bool, calls_left: int
) -> None:
    await seem_gone(callbook, stand_in, portal)
    assert (await portal.uninstall_event(clean=is_clean)).status_code == 200
    await callbook.settle()
    assert await count(callbook, "calls") == calls_left
    assert await count(callbook, "uninstall_checks") == 0


async def test_an_event_that_comes_during_the_check_is_not_lost_with_it(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    await seem_gone(callbook, stand_in, portal)
    gate = stand_in.hold("app.info", when="before", portal=portal, times=1)
    task = asyncio.create_task(check(callbook, clock, ASK_AGAIN_AFTER_S[0]))
    await gate.reached()
    assert (await portal.uninstall_event(clean=True)).status_code == 202
    gate.release()
    await task
    await check(callbook, clock, 120)
    assert await count(callbook, "calls") == 0


# Many at once


@pytest.fixture
async def many(callbook: Callbook, stand_in: StandIn, portal: StandInPortal) -> list[StandInPortal]:
    """Five portals, of which four seem to be gone."""
    added = [await stand_in.add_portal() for _ in range(3)]
    await install_all(callbook, added)
    return [portal, *added]


async def insist(callbook: Callbook, clock: FakeClock, days: int = 0) -> None:
    for delay_s in (*ASK_AGAIN_AFTER_S, *([DAY_S] * days)):
        await check(callbook, clock, delay_s)


async def test_three_are_believed(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, many: list[StandInPortal]
) -> None:
    for one in many[:3]:
        await seem_gone(callbook, stand_in, one)
    await insist(callbook, clock)
    assert [(await read_state(callbook, one))[0] for one in many[:3]] == ["uninstalled"] * 3
    assert PROBLEM not in await find_problems(callbook.parts)


async def test_four_are_not_and_the_vendor_is_asked(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, many: list[StandInPortal]
) -> None:
    for one in many:
        await seem_gone(callbook, stand_in, one)
        clock.advance(DAY_S // 4)
    await insist(callbook, clock, days=3)
    assert [(await read_state(callbook, one))[0] for one in many] == ["installed"] * 4
    assert PROBLEM in (await callbook.client.get("/readyz")).json()["problems"]
    await gone_guard.accept(callbook.parts.clock)
    assert PROBLEM not in await find_problems(callbook.parts)
    await insist(callbook, clock)
    assert [(await read_state(callbook, one))[0] for one in many] == ["uninstalled"] * 4
    assert await count(callbook, "calls") == 1


async def test_four_in_more_than_a_day_are_believed(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, many: list[StandInPortal]
) -> None:
    for one in many:
        await seem_gone(callbook, stand_in, one)
        for delay_s in (60, 600, 3600, DAY_S // 2):
            await check(callbook, clock, delay_s)
    await insist(callbook, clock)
    assert [(await read_state(callbook, one))[0] for one in many] == ["uninstalled"] * 4


async def test_portals_that_the_vendor_keeps_are_asked_again(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, many: list[StandInPortal]
) -> None:
    for one in many:
        await seem_gone(callbook, stand_in, one)
    await insist(callbook, clock)
    stand_in.heal()
    await gone_guard.keep()
    assert PROBLEM not in await find_problems(callbook.parts)
    assert [await read_state(callbook, one) for one in many] == [("installed", "ok")] * 4
    assert await count(callbook, "uninstall_checks") == 0


async def test_what_is_announced_is_erased_meanwhile(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, many: list[StandInPortal]
) -> None:
    for one in many:
        await seem_gone(callbook, stand_in, one)
    await check(callbook, clock, ASK_AGAIN_AFTER_S[0])
    assert PROBLEM in await find_problems(callbook.parts)
    other = stand_in.portals[1]
    answer = await other.uninstall(clean=False)
    assert answer is not None
    assert answer.status_code == 200
    assert (await read_state(callbook, other))[0] == "uninstalled"
