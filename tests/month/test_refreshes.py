"""The cost of some days in token refreshes: within the budget, and none if a page brings fresh tokens."""

import pytest

from app.calls.statistics.progress import evidence
from app.demo.stand_in import StandIn
from tests.conftest import GENEROUS
from tests.month.turns import NEVER_S
from tests.month.week import Week
from tests.running import CLIENT_ID, CLIENT_SECRET, FakeClock, run_callbook

DAYS = 2
MOST_A_DAY = 4


async def test_a_portal_s_tokens_are_refreshed_four_times_a_day_at_most_and_never_while_an_admin_looks_in(
    database_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "PERIOD_S", NEVER_S)  # The turns keep the heartbeat.
    async with (
        StandIn.serve(portals=4, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=clock) as stand_in,
        run_callbook(database_url, stand_in, clock, GENEROUS, rate_clock=clock) as callbook,
    ):
        week = Week(callbook, stand_in, clock, visited=1)
        await week.install()
        days = [await week.live_a_day() for _ in range(DAYS)]
        assert [day[0] for day in days] == [0] * DAYS
        assert max(refreshes for day in days for refreshes in day) <= MOST_A_DAY, days
        assert week.failures == []
        lost = [row.call_id for portal in stand_in.portals for row in portal.state.statistics]
        stored = await callbook.run_sql("SELECT call_id FROM calls")
        assert len(stored) >= 0.9 * len(set(lost))
