"""The intervals between reads follow the traffic, and portals of like traffic are not read together."""

import pytest

from app.calls.statistics.progress.read_schedule import LONGEST_S, SHORTEST_S, SPREAD, plan_interval


@pytest.mark.parametrize("recent_calls", [0, 1, 8, 100, 10_000])
def test_portals_that_were_installed_together_spread_over_a_tenth_of_their_interval(
    recent_calls: int,
) -> None:
    intervals = {plan_interval(portal_id, recent_calls) for portal_id in range(1, SPREAD + 1)}
    assert len(intervals) == SPREAD
    longest = max(intervals)
    assert longest == plan_interval(SPREAD, recent_calls)
    assert min(intervals) >= longest - longest // SPREAD


def test_more_calls_shorten_the_interval_between_its_bounds() -> None:
    intervals = [plan_interval(SPREAD, recent_calls) for recent_calls in range(2_000)]
    assert intervals == sorted(intervals, reverse=True)
    assert (intervals[0], intervals[-1]) == (LONGEST_S, SHORTEST_S)
