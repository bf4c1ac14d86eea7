"""Which lacked rows, and which users' last rows, one request asks for: none is left out for ever."""

from itertools import pairwise

from app.calls.statistics.audit_search import begin_walk, plan_parts, spread
from app.calls.statistics.lacked_rows import MOST_PAGES, MOST_USERS, choose_users, list_windows, pack
from app.calls.statistics.progress.plan import PAGE_ROWS
from app.calls.statistics.progress.read_schedule import DAY_S


def test_a_hundred_users_are_asked_about_each_day_and_all_in_turn() -> None:
    users: set[int | None] = {None, *range(1, 250)}
    days = [choose_users(users, day * DAY_S) for day in range(3)]
    assert {len(chosen) for chosen in days} == {100}
    assert set().union(*days) == users


def test_one_request_holds_few_users_and_pages() -> None:
    rows: list[tuple[int, int | None]] = [(one * 30, one % 40) for one in range(1, 500)]
    packed = list(pack(rows))
    assert [row for some in packed for row in some] == rows
    for some in packed:
        windows = list_windows(some)
        assert len(windows) <= MOST_PAGES
        assert len({user for _, user in some}) <= MOST_USERS
        assert all(window.high - window.low < PAGE_ROWS for window in windows)
        assert all(any(window.low <= one <= window.high for window in windows) for one, _ in some)


def test_samples_reach_from_the_first_page_to_the_last() -> None:
    for high in (1, 50, 2_500, 2_501, 4_100, 4_850, 10_400, 10**6):
        samples = spread(1, high)
        gaps = [after.low - one.high - 1 for one, after in pairwise(samples)]
        assert len(samples) <= 50
        assert samples[-1].high == high
        assert max(gaps, default=0) <= high // 49
        assert samples[0].low - 1 <= max(gaps, default=0)


def test_the_parts_of_a_count_are_all_ids_once() -> None:
    for high, read_from in ((1, 1), (100, 1), (100, 50), (100, 101), (10**6, 900_000), (5, 6)):
        parts = plan_parts(high, read_from)
        assert (parts[0].low, parts[-1].high) == (1, high)
        assert all(one.high + 1 == after.low for one, after in pairwise(parts))
        assert len(parts) <= 20


def test_a_walk_ends_at_the_first_id() -> None:
    assert begin_walk(1) == []
    assert [(task.low, task.high) for task in begin_walk(2)] == [(1, 1)]
