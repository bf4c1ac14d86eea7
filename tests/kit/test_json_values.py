"""Numbers that anyone may have written: read within bounds, or not at all."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.json_values import INT64_MAX, read_finite, read_whole

ODD_NUMBERS: tuple[Any, ...] = (
    *("nan", "NaN", "inf", "-inf", "Infinity", "1e400", "-1e400", "1e999999", "1_0", "0x10", "", " ", "٣"),
    *(math.nan, math.inf, -math.inf, 10**400, -(10**400), 10**5000, "9" * 5000, "9" * 41),
    *(True, False, None, [], {}, [1], {"a": 1}, b"1", "\ud800"),
)


def test_what_is_no_number_within_bounds_is_none() -> None:
    assert [read_whole(value) for value in ODD_NUMBERS] == [None] * len(ODD_NUMBERS)
    finite = [read_finite(value, -1e300, 1e300) for value in ODD_NUMBERS]
    assert all(number is None or math.isfinite(number) for number in finite)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *[(7, 7), ("007", 7), (0, 0), (-1, None), ("-1", None), (1.0, None), ("1.0", None)],
        *[(INT64_MAX, INT64_MAX), (INT64_MAX + 1, None), (str(INT64_MAX), INT64_MAX), ("9" * 19, None)],
    ],
)
def test_a_whole_number_is_read_from_a_number_or_its_text(value: Any, read: int | None) -> None:
    assert read_whole(value) == read


def test_bounds_are_within() -> None:
    assert [read_whole(number, -2, 2) for number in (-3, -2, "-2", 2, 3)] == [None, -2, -2, 2, None]
    assert [read_finite(number, 0, 1) for number in (-0.1, 0, "0.5", 1, 1.1)] == [None, 0, 0.5, 1, None]


@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none()))
def test_nothing_raises_and_nothing_is_out_of_bounds(value: Any) -> None:
    whole, finite = read_whole(value), read_finite(value, -5, 5)
    assert whole is None or 0 <= whole <= INT64_MAX
    assert finite is None or -5 <= finite <= 5
