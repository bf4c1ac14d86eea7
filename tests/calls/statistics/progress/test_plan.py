"""The planner over any ids: it reads every row once, claims no row that it has not read, and needs few
requests.
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calls.statistics.progress.pace import FIRST_PAGES, MOST_PAGES
from app.calls.statistics.progress.plan import PAGE_ROWS, Plan, Range, split_rest

Answer = Callable[[Range], Sequence[int] | None]


class Simulation:
    """A portal with these ids, and a reader that stores all rows that it gets."""

    def __init__(self, ids: set[int]) -> None:
        self.ids = sorted(ids)
        self.stored: Counter[int] = Counter()
        self.requests = 1  # The first read.
        self.rows = min(len(ids), PAGE_ROWS)
        self.stored.update(self.ids[-PAGE_ROWS:])
        self.low_id = self.ids[-self.rows] if ids else 1
        self.bottom_id = self.ids[0] if ids else 1
        self.width = PAGE_ROWS
        self.pages = FIRST_PAGES

    def answer(self, asked: Range) -> list[int]:
        return [number for number in self.ids if asked.low <= number <= asked.high][:PAGE_ROWS]

    def read(self, answer: Answer | None = None, most_requests: int = 10_000) -> bool:
        """Read on from the mark, as after a start; return whether the history is complete."""
        plan = Plan(self.bottom_id, self.low_id, self.width)
        for _ in range(most_requests):
            if plan.is_complete:
                return True
            asked = plan.take(self.pages)
            assert asked
            assert len(asked) <= self.pages
            self.requests += 1
            answers = {one: (answer or self.answer)(one) for one in asked}
            for ids in answers.values():
                self.stored.update(ids or [])
            progress = plan.settle(answers)
            self.low_id, self.width, self.pages = progress.low_id, plan.width, MOST_PAGES
            self.rows += progress.rows
            self.assert_mark_is_true()
        return plan.is_complete

    def assert_mark_is_true(self) -> None:
        above = [number for number in self.ids if number >= self.low_id]
        assert all(number in self.stored for number in above)
        assert self.rows == len(above)


@st.composite
def id_sets(draw: st.DrawFn) -> set[int]:
    """Clusters of any density with gaps of any width between them."""
    ids: set[int] = set()
    start = draw(st.integers(1, 5_000))
    for _ in range(draw(st.integers(0, 6))):
        step = draw(st.sampled_from([1, 1, 2, 3, 17, 400]))
        count = draw(st.integers(1, 260))
        ids.update(range(start, start + step * count, step))
        start += step * count + draw(st.sampled_from([1, 2, 60, 5_000, 3_000_000]))
    return ids


@given(id_sets())
def test_every_row_is_read_exactly_once(ids: set[int]) -> None:
    portal = Simulation(ids)
    assert portal.read()
    assert portal.stored == Counter(ids)


@given(id_sets(), st.integers(0, 2**32).map(random.Random))
def test_answers_that_fail_are_asked_again_and_nothing_is_doubled(
    ids: set[int], chance: random.Random
) -> None:
    portal = Simulation(ids)
    assert portal.read(lambda asked: None if chance.random() < 0.3 else portal.answer(asked))
    assert portal.stored == Counter(ids)


@given(id_sets(), st.integers(0, 2**32).map(random.Random))
def test_a_crash_after_any_request_loses_nothing(ids: set[int], chance: random.Random) -> None:
    portal = Simulation(ids)
    while not portal.read(
        lambda asked: None if chance.random() < 0.2 else portal.answer(asked), chance.randint(1, 3)
    ):
        pass
    assert set(portal.stored) == ids
    assert portal.rows == len(ids)


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 2_500, 2_501, 25_000])
def test_dense_ids_take_the_fewest_requests(count: int) -> None:
    portal = Simulation(set(range(7, 7 + count)))
    assert portal.read()
    assert portal.requests <= 1.1 * -(-count // 2_500) + 3


def test_the_gaps_that_portals_have_stay_within_the_limit_too() -> None:
    portal = Simulation({number for number in range(1, 26_563) if number % 17})
    assert portal.read()
    assert len(portal.ids) == 25_000
    assert portal.requests <= 1.1 * 10 + 3


@pytest.mark.parametrize("density", [0.8, 0.5, 0.2, 0.05, 0.01])
def test_sparse_ids_take_few_more(density: float) -> None:
    chance = random.Random(5)
    ids = {number for number in range(1, round(10_000 / density)) if chance.random() < density}
    portal = Simulation(ids)
    assert portal.read()
    assert portal.requests <= 1.6 * len(ids) / 2_500 + 6


def test_a_gap_of_millions_takes_a_handful() -> None:
    portal = Simulation({*range(1, 1_001), *range(50_000_000, 50_001_000)})
    assert portal.read()
    assert portal.requests <= 16


def test_a_page_that_comes_back_full_is_read_on_by_its_own_density() -> None:
    plan = Plan(1, 1_001, width=1_000)
    (asked,) = plan.take(10)
    assert asked == Range(1, 1_000)
    progress = plan.settle({asked: list(range(1, 51))})
    assert (progress.low_id, progress.rows) == (1_001, 0)
    assert plan.take(50) == [Range(low, low + 49) for low in range(951, 50, -50)]


def test_a_full_page_that_ends_its_range_leaves_nothing() -> None:
    plan = Plan(1, 51)
    (asked,) = plan.take(10)
    plan.settle({asked: list(range(1, 51))})
    assert plan.is_complete


def test_a_rest_of_any_length_is_split_whole() -> None:
    for length in (1, 49, 50, 51, 5_000, 1_000_000):
        pieces = split_rest(Range(101, 100 + length), list(range(51, 101)))
        assert len(pieces) <= 49
        assert [pieces[0].low, pieces[-1].high] == [101, 100 + length]
        assert all(one.high + 1 == other.low for one, other in itertools.pairwise(pieces))


def test_failures_are_counted() -> None:
    plan = Plan(1, 101)
    for tries in range(1, 4):
        plan.settle(dict.fromkeys(plan.take(50), None))
        assert plan.most_tries == tries
    plan.settle({asked: [asked.low] for asked in plan.take(50)})
    assert (plan.most_tries, plan.is_complete) == (0, True)


@given(id_sets(), st.integers(0, 400), st.integers(0, 2**32).map(random.Random))
def test_reading_forward_finds_every_row_above_its_start(
    ids: set[int], behind: int, chance: random.Random
) -> None:
    portal = Simulation(ids)
    high = chance.choice([0, *portal.ids, max(ids, default=0) + 100])
    start = max(1, high - behind)
    portal.stored.clear()
    plan = Plan(start, high + 1, is_open=True)
    while not plan.is_complete:
        answers = {
            asked: None if chance.random() < 0.2 else portal.answer(asked) for asked in plan.take(MOST_PAGES)
        }
        for found in answers.values():
            portal.stored.update(found or [])
        plan.settle(answers)
    assert portal.stored == Counter(number for number in ids if number >= start)


@pytest.mark.parametrize(("new", "requests"), [(0, 1), (49, 1), (50, 2), (1_000, 2), (10_000, 11)])
def test_reading_forward_takes_few_requests(new: int, requests: int) -> None:
    portal = Simulation(set(range(1, 1_001 + new)))
    plan = Plan(801, 1_001, is_open=True)
    taken = 0
    while not plan.is_complete:
        plan.settle({asked: portal.answer(asked) for asked in plan.take(MOST_PAGES)})
        taken += 1
    assert taken == requests
