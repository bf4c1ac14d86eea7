"""Reads of the statistics keep within the budget of refreshes, and a failing portal is asked less."""

from collections.abc import Sequence

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from tests.calls.statistics.reconciling import DAY, HOUR, install_and_read, is_logged, turn
from tests.calls.statistics_rows import fill, install, read_mark, read_portal
from tests.running import Callbook, FakeClock
from tests.web.browsing import open_tab


async def live(callbook: Callbook, clock: FakeClock, portals: Sequence[StandInPortal], days: int) -> None:
    """Make calls every two hours, half of them in the first portal only; the events of some get lost."""
    for hour in range(0, days * 24, 2):
        await portals[0].end_call(lose=hour % 20 == 0)
        if hour % 24 == 0:
            await portals[1].end_call(lose=True)
        for _ in range(12):
            clock.advance(600)
            await turn(callbook)


async def test_a_week_costs_four_refreshes_a_day_and_fewer_where_little_is_called(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    busy, quiet = stand_in.portals
    for portal in (busy, quiet):
        await install(callbook, portal)
    await live(callbook, clock, (busy, quiet), days=7)
    assert 14 <= busy.counts["oauth.refresh"] <= 28
    assert 6 <= quiet.counts["oauth.refresh"] <= 8
    clock.advance(DAY)
    await turn(callbook)
    calls = await callbook.run_sql("SELECT call_id FROM calls WHERE is_confirmed")
    shown = {row.call_id for portal in (busy, quiet) for row in portal.state.statistics}
    assert {row["call_id"] for row in calls} == shown


@pytest.mark.quick
async def test_an_admins_page_an_hour_costs_no_refresh_at_all(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    await install_and_read(callbook, portal)
    for _ in range(24):
        clock.advance(HOUR)
        lost = await portal.end_call(lose=True)
        await open_tab(callbook, portal)
        await turn(callbook)
        assert await is_logged(callbook, lost.call_id)
    assert portal.counts["oauth.refresh"] == 0


async def test_pages_that_show_somebody_unknown_buy_no_pair_beyond_the_four_a_day(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    """The page of another administrator shows all calls, and brings no pair of the owner's."""
    await install_and_read(callbook, portal)
    portal.operator.is_admin = True
    for hour in range(24):
        clock.advance(HOUR)
        await portal.end_call(user_id=9_000 + hour)
        tab = await open_tab(callbook, portal, portal.operator.id)
        assert (await tab.get("/log/rows")).status_code == 200
        await turn(callbook)
    assert 1 < portal.counts["oauth.refresh"] <= 4


@pytest.mark.quick
async def test_two_admins_who_open_the_tab_in_turn_cause_no_whole_read(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    fill(portal, range(1, 600))
    await install_and_read(callbook, portal)
    portal.operator.is_admin = True
    owner_id = (await read_portal(portal)).token_user_id
    rows_done = (await read_mark(portal)).rows_done
    for admin in (portal.operator, portal.admin, portal.operator):
        clock.advance(3 * HOUR)
        await open_tab(callbook, portal, admin.id)
        await turn(callbook)
        mark = await read_mark(portal)
        assert (await read_portal(portal)).token_user_id == mark.token_user_id == owner_id
        assert (mark.history_state, mark.rows_done) == ("complete", rows_done)


async def test_a_portal_that_fails_is_asked_less_and_less_and_hinders_no_other(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    failing, fine = stand_in.portals
    for portal in (failing, fine):
        await install_and_read(callbook, portal)
    rule = stand_in.fail("voximplant.statistic.get", code="internal_server_error", portal=failing)
    clock.advance(DAY)
    lost = await fine.end_call(lose=True)
    asked = []
    for _ in range(18):
        await turn(callbook)
        asked.append(failing.counts["batch"])
        clock.advance(600)
    assert await is_logged(callbook, lost.call_id)
    attempts = len(set(asked))
    assert 4 <= attempts <= 7
    mark = await read_mark(failing)
    assert (mark.failure_code, mark.history_state) == ("internal_server_error", "complete")
    rule.cancel()
    clock.advance(6 * HOUR)
    await turn(callbook)
    assert (await read_mark(failing)).failures == 0
