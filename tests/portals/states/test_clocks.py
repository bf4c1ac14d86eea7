"""Clocks that disagree, and a clock that is set back: expiry counts from receipt, so they change nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.fairness.budget import Budget
from app.kit.messages.errors import TooManyRequests
from app.portals import queries
from app.portals.contact import FIRST_PAUSE_S
from app.portals.fact_queries import take_lease
from app.portals.model import Portal
from app.portals.tokens.client_secret import note_accepted, note_rejected, was_accepted_lately
from app.portals.tokens.refresh_budget import PERSON_REST_S, REST_S, Cause, is_affordable, may_buy
from app.scheduler import LEASE, LEASE_S, read_histories, renew_pairs, run_job
from tests.conftest import GENEROUS
from tests.portals.portal_rows import count, read_pair
from tests.running import Callbook, FakeClock, run_callbook
from tests.web.browsing import install, open_tab

STEP_S = 600
YEAR_S = 365 * 24 * 3600
NOON = 1_795_000_000


@dataclass(frozen=True)
class Record:
    """The record of one pair."""

    access_expires_at: int
    pair_stored_at: int
    pair_bought_at: int


class SkewedClock:
    """Callbook's clock, so many seconds ahead of Bitrix24's (behind it if negative)."""

    def __init__(self, clock: FakeClock, ahead_s: int) -> None:
        self._clock = clock
        self._ahead_s = ahead_s

    def now(self) -> int:
        return self._clock.now() + self._ahead_s


@pytest.fixture(params=[-STEP_S, 0, STEP_S])
async def skewed(
    request: pytest.FixtureRequest, database_url: str, stand_in: StandIn, clock: FakeClock
) -> AsyncIterator[Callbook]:
    ours = SkewedClock(clock, request.param)
    async with run_callbook(database_url, stand_in, ours, GENEROUS) as running:
        yield running


async def find(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


async def call(callbook: Callbook, portal: StandInPortal) -> None:
    assert (await callbook.parts.access.call(await find(portal), "user.get", {})).result


@pytest.mark.parametrize("expiry_format", ["unix", "iso"])
async def test_ten_minutes_of_skew_either_way_change_nothing(
    skewed: Callbook, stand_in: StandIn, clock: FakeClock, expiry_format: str
) -> None:
    stand_in.expiry_format = "iso" if expiry_format == "iso" else "unix"
    portal = stand_in.portals[0]
    await install(skewed, portal)
    assert (await find(portal)).access_expires_at == skewed.parts.clock.now() + 3600
    tab = await open_tab(skewed, portal)
    await portal.end_call()
    await portal.end_call(lose=True)
    await skewed.parts.histories.catch_up(await find(portal))
    assert len(await tab.list_ids()) == 2
    # The token lives for ten seconds more by the authorization server's clock, which alone counts.
    clock.advance(3590)
    await call(skewed, portal)
    assert stand_in.counts["oauth.refresh"] == 0
    clock.advance(20)
    await call(skewed, portal)
    await call(skewed, portal)
    assert stand_in.counts["oauth.refresh"] == 1
    pair = await read_pair(skewed, portal.member_id)
    await open_tab(skewed, portal)
    assert await read_pair(skewed, portal.member_id) == pair  # A page's pair does not replace a healthy one.
    stand_in.fail("oauth.refresh", network="drop", portal=portal)
    clock.advance(6 * 3600 + 100)
    with pytest.raises(Exception, match="no new pair"):
        await call(skewed, portal)
    stand_in.heal()
    await open_tab(skewed, portal)
    assert await read_pair(skewed, portal.member_id) != pair  # It replaces a doubtful one.
    await portal.update_event()
    await portal.end_call()
    assert await count(skewed, "calls") == 3
    await portal.uninstall()
    assert not (await find(portal)).is_installed


@pytest.mark.quick
async def test_a_clock_that_is_set_back_changes_nothing(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    tab, began_at = await open_tab(callbook, portal), clock.now()
    runs = []

    async def note(_: object) -> None:
        runs.append(clock.now())

    await run_job(callbook.parts, "scheduler", note)
    clock.at -= STEP_S
    # The holder keeps its own lease, which ends earlier again now.
    await run_job(callbook.parts, "scheduler", note)
    assert runs == [began_at, began_at - STEP_S]
    clock.advance(LEASE_S)
    assert await take_lease(LEASE, "another", clock.now(), LEASE_S)
    await call(callbook, portal)
    await portal.end_call()
    await portal.end_call(lose=True)
    await callbook.parts.histories.catch_up(await find(portal))
    assert len(await tab.list_ids()) == 2
    await open_tab(callbook, portal)
    portal.expire_access_tokens()
    await call(callbook, portal)
    assert stand_in.counts["oauth.refresh"] == 1
    clock.at = began_at + 600
    # No session lives longer than its own ten minutes.
    assert (await tab.get("/api/v1/calls")).status_code == 401


async def test_leases_claims_and_pauses_of_the_time_before_block_no_longer_than_the_step(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    """The processes that left them were killed just before the clock was set back."""
    portal = stand_in.portals[0]
    await install(callbook, portal)
    now, found = clock.now(), await find(portal)
    assert await queries.take_refresh_lease(found.id, 1, found.token_version, "killed", now, now + 30)
    await callbook.run_sql(
        f"UPDATE statistics_marks SET history_state = 'running', claimed_until = {now + 300}"
    )
    clock.at -= STEP_S
    clock.advance(STEP_S + 299)
    await read_histories(callbook.parts)
    await callbook.settle()
    assert (await callbook.run_sql("SELECT history_state AS s FROM statistics_marks"))[0]["s"] == "running"
    clock.advance(1)
    await read_histories(callbook.parts)
    await callbook.settle()
    assert (await callbook.run_sql("SELECT history_state AS s FROM statistics_marks"))[0]["s"] == "complete"
    portal.expire_access_tokens()
    clock.advance(REST_S)  # The killed process may have bought a pair.
    await call(callbook, portal)
    portal.state.rest_refusal = "portal_closed"
    with pytest.raises(Exception, match="refuses"):
        await call(callbook, portal)
    portal.state.rest_refusal = None
    clock.at -= STEP_S
    clock.advance(STEP_S + FIRST_PAUSE_S)
    await call(callbook, portal)


async def test_a_year_back_leaves_pairs_neither_unrenewed_nor_unbought(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    """A time noted by a clock that was ahead says nothing about the age of a pair."""
    portal = stand_in.portals[0]
    await install(callbook, portal)
    portal.expire_access_tokens()
    clock.advance(REST_S)
    await call(callbook, portal)
    assert stand_in.counts["oauth.refresh"] == 1
    await note_accepted(clock.now())
    clock.at -= YEAR_S
    assert not await was_accepted_lately(clock.now())
    await note_rejected(clock.now() + YEAR_S)
    await run_job(callbook.parts, "scheduler", renew_pairs)
    await callbook.settle()
    assert stand_in.counts["oauth.refresh"] == 2
    clock.advance(REST_S - 1)
    await run_job(callbook.parts, "scheduler", renew_pairs)
    portal.expire_access_tokens()
    with pytest.raises(Exception, match="not due yet"):
        await call(callbook, portal)
    assert stand_in.counts["oauth.refresh"] == 2  # The record is right again, and counts as usual.


@pytest.mark.parametrize("cause", list(Cause))
def test_a_record_of_the_future_holds_a_purchase_back_as_long_as_one_of_the_past(cause: Cause) -> None:
    rest_s = PERSON_REST_S if cause is Cause.PERSON else REST_S
    pair = Record(access_expires_at=0, pair_stored_at=0, pair_bought_at=NOON)
    for away_s, is_bought in ((0, False), (rest_s - 1, False), (rest_s, True), (YEAR_S, True)):
        for now in (NOON - away_s, NOON + away_s):
            assert may_buy(pair, cause, now) is is_bought
            assert cause is Cause.PERSON or is_affordable(pair, now) is is_bought


def test_a_budget_refills_at_once_after_the_clock_was_set_back(clock: FakeClock) -> None:
    budget = Budget(clock, per_minute=2)
    for _ in range(2):
        budget.spend("somebody")
    clock.at -= STEP_S
    with pytest.raises(TooManyRequests):
        budget.spend("somebody")
    clock.advance(30)
    budget.spend("somebody")
