"""Events and rows in any order: the same legs, and in the end those of the statistics and no others."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bitrix24.statistics import StatisticsRecord
from app.calls.legs import (
    FILLED,
    Leg,
    Legs,
    give_up_ids,
    leg_of_event,
    leg_of_statistics,
    mark_gone,
    meet_event,
    meet_statistics,
)
from app.calls.shown_legs import find_operators, show, sum_rows
from tests.calls.stored import STARTED_AT, make_record

DAY_S = 86_400
STARTS = st.sampled_from([None, STARTED_AT, STARTED_AT + 20, STARTED_AT + 400])
USERS = st.sampled_from([None, 7, 8])
CODES = st.sampled_from([None, "200", "304"])
REASONS = st.sampled_from([None, "one", "two"])
EVENTS = st.builds(
    lambda start, user, code, reason: leg_of_event(
        make_record(started_at=start, user_id=user, code=code, reason=reason), 100, STARTED_AT + 5
    ),
    *(STARTS, USERS, CODES, REASONS),
)
# Rows of one call: each with an id, a start and a user of its own, and versions of it as reads find them.
VERSIONS = st.lists(st.tuples(CODES, REASONS), min_size=1, max_size=3)
ROWS = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from([0, 20, 400]), USERS, VERSIONS),
    max_size=3,
    unique_by=(lambda row: row[0], lambda row: row[1:3]),
)


def make_row(statistics_id: int, **changes: Any) -> Leg:
    told = make_record(**changes)
    record = StatisticsRecord(
        **{name: getattr(told, name) for name in told.__struct_fields__},
        statistics_id=statistics_id,
        record_file_id=None,
        has_recording=False,
        transcript_id=None,
        has_transcript=False,
        crm_entity_type=None,
        crm_entity_id=None,
        vote=None,
        comment=None,
    )
    return leg_of_statistics(record, 500)


def facts_of(legs: Legs) -> list[tuple[object, ...]]:
    names = ("statistics_id", "user_id", "started_at", *FILLED)
    return [tuple(getattr(leg, name) for name in names) for leg in legs]


@given(data=st.data(), events=st.lists(EVENTS, max_size=4), rows=ROWS)
def test_any_order_ends_in_the_same_legs_which_are_those_of_the_statistics(
    data: st.DataObject, events: Sequence[Leg], rows: Sequence[tuple[int, int, int | None, list[Any]]]
) -> None:
    read = [
        make_row(number, started_at=STARTED_AT + start, user_id=user, code=code, reason=reason)
        for number, start, user, versions in rows
        for code, reason in versions
    ]
    steps = [("event", leg) for leg in events] + [("row", leg) for leg in read]
    order = data.draw(st.permutations(range(len(steps))))
    # The versions of a row are read in their own order.
    versions = iter(step for step in steps if step[0] == "row")
    shuffled = [steps[index] if steps[index][0] == "event" else next(versions) for index in order]
    first, second = _live(steps), _live(shuffled)
    if not first:
        return
    assert {leg.statistics_id for leg in first} == {leg.statistics_id for leg in second}
    assert facts_of(show(first).deciding) == facts_of(show(second).deciding)
    assert show(first).leg.user_id == show(second).leg.user_id
    if rows:
        _expect(show(first).deciding, rows)


def _expect(deciding: Legs, rows: Sequence[tuple[int, int, int | None, list[Any]]]) -> None:
    """The oracle: the last version of each row; a fact that it once told and tells no more is gone."""
    last = {number: (STARTED_AT + start, user, versions) for number, start, user, versions in rows}
    assert {leg.statistics_id for leg in deciding} == last.keys()
    for leg in deciding:
        started_at, user, versions = last[leg.statistics_id or 0]
        assert (leg.started_at, leg.user_id) == (started_at, user)
        for index, name in enumerate(("code", "reason")):
            told = [version[index] for version in versions]
            if any(value is not None for value in told):
                assert getattr(leg, name) == told[-1]


def _live(steps: Sequence[tuple[str, Leg]]) -> Legs:
    legs: Legs = ()
    for kind, leg in steps:
        legs = meet_event(legs, leg) if kind == "event" else meet_statistics(legs, [leg])
    return legs


def test_a_forged_event_changes_nothing_of_a_confirmed_call() -> None:
    legs = meet_statistics((), [make_row(1, code="304", user_id=7)])
    forged = leg_of_event(
        make_record(started_at=STARTED_AT + DAY_S, user_id=666, code="200", duration_s=9_000), 600
    )
    shown = show(meet_event(legs, forged))
    assert facts_of(shown.deciding) == facts_of(legs)
    assert shown.leg.user_id == 7
    assert find_operators(shown) == frozenset()
    assert sum_rows(shown) == (None, None)


@pytest.mark.parametrize("user_id", [None, 7])
def test_an_event_gives_no_row_an_operator(user_id: int | None) -> None:
    """Or the user who forges it would hear the recording of a call that nobody took."""
    legs = meet_statistics((), [make_row(1, user_id=user_id)])
    forged = leg_of_event(make_record(user_id=666, code="200"), 600)
    assert show(meet_event(legs, forged)).leg.user_id == user_id
    assert show(meet_statistics((forged,), [make_row(1, user_id=user_id)])).leg.user_id == user_id


def test_a_fact_that_the_portal_removed_is_gone_though_an_event_told_it() -> None:
    event = leg_of_event(make_record(phone_number="+12025550123"), 100)
    legs = meet_statistics((event,), [make_row(1, phone_number="+12025550123")])
    assert show(meet_statistics(legs, [make_row(1, phone_number=None)])).leg.phone_number is None


def test_a_row_of_nobody_takes_nothing_of_somebody_s_leg() -> None:
    of_somebody = leg_of_event(make_record(user_id=7, reason="of 7"), 100)
    rows = [make_row(1, user_id=None, reason=None), make_row(2, user_id=7, reason=None)]
    nobody, somebody = sorted(
        show(meet_statistics((of_somebody,), rows)).deciding, key=lambda leg: leg.user_id or 0
    )
    assert (nobody.reason, somebody.reason) == (None, "of 7")


def test_several_rows_add_up_and_the_call_is_each_operator_s() -> None:
    rows = [
        make_row(1, user_id=7, duration_s=10, cost_e4=5),
        make_row(2, user_id=8, started_at=STARTED_AT + 20, code="200", duration_s=30, cost_e4=None),
    ]
    shown = show(meet_statistics((), rows))
    assert (shown.leg.user_id, shown.leg.duration_s) == (8, 30)
    assert sum_rows(shown) == (40, 5)
    assert find_operators(shown) == {7}


def test_a_row_that_is_gone_confirms_nothing_and_comes_back() -> None:
    legs = meet_statistics((), [make_row(1), make_row(2, started_at=STARTED_AT + 20, code="200")])
    gone = mark_gone(legs, frozenset({2}), 900)
    assert [leg.statistics_id for leg in show(gone).deciding] == [1]
    assert not show(mark_gone(gone, frozenset({1}), 900)).is_confirmed
    assert meet_statistics(gone, [make_row(2, started_at=STARTED_AT + 20, code="200")]) == legs


def test_a_call_that_gave_up_its_id_finds_itself_under_another() -> None:
    legs = give_up_ids(meet_statistics((), [make_row(1)]), frozenset({1}), 900)
    assert not show(legs).is_confirmed
    (leg,) = meet_statistics(legs, [make_row(5)])
    assert leg.statistics_id == 5
    assert leg.is_confirmed
