from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calls.log.selection.cursors import DEFAULT_LIMIT, SORTS, Cursor, Sort
from app.calls.log.selection.filters import Filters, parse_list_request
from app.calls.log.selection.number_search import search_patterns
from app.calls.log.selection.parameters import BadFilter, join_lists
from app.calls.log.selection.periods import apply_period
from app.calls.store.outcome import DIRECTIONS, OUTCOMES

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_nothing_asked_is_everything_newest_first() -> None:
    request = parse_list_request({"direction": "", "q": "  ", "utm": "x"}, UTC)
    assert request.filters == Filters()
    assert request.filters.is_empty
    assert (request.sort, request.limit, request.cursor) == ("-started_at", DEFAULT_LIMIT, None)


def test_days_are_whole_days_of_the_user() -> None:
    filters = parse_list_request({"from": "2026-10-25", "to": "2026-10-25"}, BERLIN).filters
    assert filters.since == at("2026-10-25T00:00:00+02:00")
    assert filters.until == at("2026-10-26T00:00:00+01:00")


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T10:00:00+01:00", "2026-11-23T10:00:00 01:00", "2026-11-23T09:00:00Z", "2026-11-23T10:00"],
)
def test_moments_are_exact(text: str) -> None:
    assert parse_list_request({"from": text}, BERLIN).filters.since == at("2026-11-23T10:00:00+01:00")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("limit", value) for value in ("0", "501", "-1", "abc", "1.5", "99999999999999999999", "\u0661")],
        *[("direction", value) for value in ("up", "IN", "2")],
        *[("outcome", value) for value in ("lost", "200", "Answered")],
        *[("sort", value) for value in ("price", "-id", "id", "started_at;")],
        *[("operator", value) for value in ("x", "-1", "9223372036854775808")],
        *[("from", value) for value in ("yesterday", "2026-13-01", "10:00", "2026-11-23T25:00")],
        ("to", "9999-12-31"),
        ("from", "0001-01-01T00:00:00+14:00x"),
        *[("duration_from", value) for value in ("x", "1:60", "-1", "1:2:3", "9" * 20)],
        *[("recording", value) for value in ("yes", "1")],
        ("client", "some"),
        ("code", ",".join(map(str, range(51)))),
        ("q", "1" * 256),
        ("line", "1" * 256),
        *[("cursor", value) for value in ("x", "!!", "e30", "bnVsbA", "W10", "🙂")],
    ],
)
def test_what_means_nothing_is_refused_and_named(name: str, value: str) -> None:
    with pytest.raises(BadFilter) as refused:
        parse_list_request({name: value}, UTC)
    assert refused.value.status == 400
    assert name in refused.value.message


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1:30", 90), ("0:05", 5), ("1:02:03", 3723), ("90:00", 5400)]
)
def test_a_duration_is_seconds_or_a_clock(text: str, seconds: int) -> None:
    filters = parse_list_request({"duration_from": text, "duration_to": text}, UTC).filters
    assert (filters.duration_from, filters.duration_to) == (seconds, seconds)


def test_lists_hold_each_value_once_in_order() -> None:
    given = {"outcome": "busy, missed,busy,", "code": "603-S ,486", "operator": "12,3"}
    filters = parse_list_request(given, UTC).filters
    assert filters.outcomes == ("busy", "missed")
    assert filters.codes == ("603-S", "486")
    assert filters.user_ids == (12, 3)


def test_a_form_s_several_values_are_a_list() -> None:
    assert join_lists([("a", "1"), ("b", "2"), ("a", "3")]) == {"a": "1,3", "b": "2"}


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("today", "2026-03-01", None),
        ("yesterday", "2026-02-28", "2026-02-28"),
        ("week", "2026-02-23", None),
        ("month", "2026-01-31", None),
        ("this_month", "2026-03-01", None),
        ("last_month", "2026-02-01", "2026-02-28"),
    ],
)
def test_a_period_is_whole_days(period: str, first: str, last: str | None) -> None:
    given = apply_period({"period": period, "from": "2020-01-01", "to": "2020-01-02"}, date(2026, 3, 1))
    assert (given["from"], given.get("to")) == (first, last)
    assert "period" not in given


def test_dates_count_while_the_period_is_free_or_not_told() -> None:
    typed = {"from": "2020-01-01", "to": "2020-01-02"}
    assert apply_period({"period": "free", **typed}, date(2026, 3, 1)) == typed
    assert apply_period(typed, date(2026, 3, 1)) == typed
    assert apply_period({"period": "", **typed}, date(2026, 3, 1)) == {}
    with pytest.raises(BadFilter, match="period"):
        apply_period({"period": "ever"}, date(2026, 3, 1))


def test_every_direction_outcome_and_sort_is_understood() -> None:
    for direction in DIRECTIONS:
        assert parse_list_request({"direction": direction}, UTC).filters.direction == direction
    for outcome in OUTCOMES:
        assert parse_list_request({"outcome": outcome}, UTC).filters.outcomes == (outcome,)
    for sort in SORTS:
        assert parse_list_request({"sort": sort}, UTC).sort == sort


@given(st.sampled_from(SORTS), st.integers(-(2**63), 2**63 - 1), st.integers(1, 2**63 - 1))
def test_a_cursor_comes_back_as_it_was(sort: Sort, key: int, row_id: int) -> None:
    cursor = Cursor(sort, key, row_id)
    assert parse_list_request({"cursor": cursor.to_text(), "sort": sort}, UTC).cursor == cursor


def test_a_cursor_of_another_order_is_refused() -> None:
    with pytest.raises(BadFilter, match="cursor"):
        parse_list_request({"cursor": Cursor("duration_s", 1, 1).to_text()}, UTC)
    with pytest.raises(BadFilter, match="cursor"):
        parse_list_request({"cursor": Cursor("-started_at", 2**63, 1).to_text()}, UTC)


@given(st.text(max_size=60))
def test_no_cursor_makes_an_error_of_ours(text: str) -> None:
    try:
        parse_list_request({"cursor": text}, UTC)
    except BadFilter:
        return


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "kind", "patterns"),
    [
        ("+49 (30) 231-25", "digits", ["493023125"]),
        ("0049 30 23", "digits", ["00493023", "493023"]),
        ("030/23 12 5", "digits", ["03023125", "3023125"]),
        ("+49 (0)30 23125", "digits", ["493023125"]),
        ("8 (495) 123-45-67", "digits", ["84951234567", "4951234567"]),
        ("104", "digits", ["104"]),
        ("0", "digits", ["0"]),
        ("٠٣٠٩", "digits", ["0309", "309"]),
        ("hidden", "text", ["hidden"]),
        ("Reg133", "text", ["reg133"]),
        ("+", "text", ["+"]),
    ],
)
def test_a_number_is_found_however_it_is_written(text: str, kind: str, patterns: list[str]) -> None:
    assert search_patterns(text) == (kind, patterns)
