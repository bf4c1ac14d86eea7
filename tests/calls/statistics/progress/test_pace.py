import pytest

from app.calls.statistics.progress.pace import plan_pages, plan_rest, read_moment, read_rest

BLOCK = {"operating": 400.0, "operating_reset_at": 1_000_300, "date_start": "1970-01-12T15:46:40+02:00"}


@pytest.mark.parametrize(
    ("pages", "duration_s", "expected"),
    [(10, 0.2, 50), (10, 20.0, 10), (10, 0.0, 50), (50, 40.0, 25), (10, 60.0, 3), (1, 70.0, 1), (2, 1.0, 40)],
)
def test_a_batch_grows_while_it_stays_under_twenty_seconds(
    pages: int, duration_s: float, expected: int
) -> None:
    assert plan_pages(pages, duration_s) == expected


def test_a_rest_comes_before_the_execution_time_runs_out() -> None:
    assert read_moment(BLOCK) == 1_000_000
    assert plan_rest([BLOCK], 10, 2.0) == 0
    assert plan_rest([BLOCK], 20, 2.0) == read_rest(BLOCK)
    assert plan_rest([{**BLOCK, "operating": "440"}], 1, 0.02) == read_rest(BLOCK)
    assert plan_rest([{}], 50, 2.0) == 0


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({}, 600),
        ({"operating_reset_at": 1_000_300}, 600),
        ({"operating_reset_at": 5, "date_start": "1970-01-12T13:46:40+00:00"}, 1),
        ({"operating_reset_at": 1_000_300, "date_start": "1970-01-12T13:46:40+00:00"}, 301),
        ({"operating_reset_at": 9_000_000, "date_start": "1970-01-12T13:46:40+00:00"}, 601),
    ],
)
def test_a_rest_lasts_until_the_portal_counts_from_zero_by_its_own_clock(
    block: dict[str, object], expected: int
) -> None:
    assert read_rest(block) == expected


@pytest.mark.parametrize("text", [None, "", "x", "2026-11-23T09:00:00", "99999-01-01"])
def test_a_moment_without_an_offset_is_none(text: str | None) -> None:
    assert read_moment({"date_start": text}) is None


def test_a_moment_is_the_portal_s() -> None:
    assert read_moment({"date_start": "2026-11-23T10:00:00+01:00"}) == 1_795_424_400
