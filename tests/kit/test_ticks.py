"""Monotonic seconds alone decide which jobs are due, and a step of the wall clock is reported once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.ticks import JITTER, STEP_S, Intervals, Steps


def none(_: float) -> float:
    return 0


def test_each_name_is_due_at_its_interval() -> None:
    intervals = Intervals({"often": 10, "seldom": 25}, 1_000, none)
    due = {second: intervals.take_due(1_000 + second) for second in range(1, 51)}
    assert [second for second, names in due.items() if "often" in names] == [10, 20, 30, 40, 50]
    assert [second for second, names in due.items() if "seldom" in names] == [25, 50]


def test_turns_that_were_missed_are_not_made_up_for() -> None:
    intervals = Intervals({"often": 10}, 0, none)
    assert intervals.take_due(100) == ["often"]
    assert intervals.take_due(109) == []
    assert intervals.take_due(110) == ["often"]


@given(gaps=st.lists(st.floats(0.1, 5), min_size=50, max_size=200), interval_s=st.integers(10, 100))
def test_however_ticks_come_a_turn_follows_within_interval_and_jitter(
    gaps: list[float], interval_s: int
) -> None:
    now = last = 0.0
    intervals = Intervals({"job": interval_s}, now)
    for gap in gaps:
        now += gap
        if intervals.take_due(now):
            assert now - last >= interval_s - 1e-9
            last = now
        assert now - last <= interval_s + interval_s / JITTER + max(gaps)


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_step_of_more_than_a_minute_is_told_once(direction: int) -> None:
    steps = Steps(5_000, 10)
    assert steps.take_step(5_100, 110) == 0
    assert steps.take_step(5_200 + direction * STEP_S, 210) == 0
    assert steps.take_step(5_300 + direction * (STEP_S + 1), 310) == direction * (STEP_S + 1)
    assert steps.take_step(5_400 + direction * (STEP_S + 1), 410) == 0
    assert steps.take_step(5_500, 510) == -direction * (STEP_S + 1)


def test_small_steps_add_up() -> None:
    steps = Steps(0, 0)
    told = [steps.take_step(second - 7 * (second // 10), second) for second in range(1, 200)]
    assert [step_s for step_s in told if step_s] == [-63, -63]
