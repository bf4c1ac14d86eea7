"""Events and rows in any order give the same legs, and in the end exactly those of the statistics."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bitrix24.incoming.statistics import StatisticsRecord
from app.calls.store.legs import (
    Leg,
    Legs,
    give_up_ids,
    leg_of_event,
    leg_of_statistics,
    mark_gone,
    meet_event,
    meet_statistics,
)
from app.calls.store.shown_legs import find_operators, forget_old, show, sum_durations
from tests.calls.stored_calls import STARTED_AT, make_record

DAY_S = 86_400
FORGER = 666
TOLD_AT, READ_AT, GONE_AT = 100, 500, 900
STARTS = st.sampled_from([None, STARTED_AT, STARTED_AT + 1, STARTED_AT + 60])
CODES = st.sampled_from([None, "200", "304"])
# Events of any kind: honest, doubled, corrected since, or forged. No row has their texts.
EVENTS = st.builds(
    lambda start, user, code, reason: leg_of_event(
        make_record(started_at=start, user_id=user, code=code, reason=reason, phone_number="told"),
        TOLD_AT,
        STARTED_AT + 5,
    ),
    *(STARTS, st.sampled_from([None, 7, 8, FORGER]), CODES, st.sampled_from([None, "told", "~ told"])),
)
# A row of the statistics as reads find it: in versions that may correct all but its id, gone, back again.
VERSIONS = st.tuples(
    STARTS, st.sampled_from([None, 7, 8]), CODES, st.sampled_from([None, "one", "two"]), st.booleans()
)
FATES = st.lists(st.one_of(VERSIONS, st.just("gone")), min_size=1, max_size=3)
ROWS = st.dictionaries(st.integers(1, 9), FATES, max_size=3)
Step = tuple[str, Any]


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


def facts_of(legs: Iterable[Leg]) -> list[dict[str, object]]:
    """All facts of the legs, except when Callbook heard of them."""
    ours = ("received_at", "gone_at")
    return [
        {name: value for name, value in msgspec.structs.asdict(leg).items() if name not in ours}
        for leg in sorted(legs, key=lambda leg: leg.statistics_id or 0)
    ]


def list_steps(rows: dict[int, list[Any]]) -> list[list[Step]]:
    """The steps of each row, in its own order."""
    steps = []
    for number, fate in rows.items():
        steps.append([("gone", number) if one == "gone" else ("row", _version(number, *one)) for one in fate])
    return steps


def _version(number: int, start: int | None, user: int | None, code: str | None, *texts: Any) -> Leg:
    reason, has_number = texts
    phone_number = "+12025550123" if has_number else None
    told = {"user_id": user, "code": code, "reason": reason, "phone_number": phone_number}
    return make_row(number, started_at=start, **told)


def live(steps: Iterable[Step]) -> Legs:
    legs: Legs = ()
    for kind, what in steps:
        match kind:
            case "event":
                legs = meet_event(legs, what)
            case "row":
                legs = meet_statistics(legs, [what])
            case "gone":
                legs = mark_gone(legs, frozenset({what}), GONE_AT)
            case _:  # The end of a whole read, which forgets the legs of events long ago.
                legs = forget_old(legs, what)
    return legs


def expect(fates: Iterable[Sequence[Step]]) -> list[dict[str, object]]:
    """The oracle: the last version of each row, except for a start that cannot be read any more. It holds the
    rows that are there, or those that are gone if none is there.
    """
    there, gone = list[Leg](), list[Leg]()
    for fate in fates:
        last: Leg | None = None
        for kind, row in fate:
            if kind == "row":
                last = row if last is None or not row.is_start_guessed else _with_start_of(row, last)
        if last is not None:
            (gone if fate[-1][0] == "gone" else there).append(last)
    return facts_of(there or gone)


def _with_start_of(row: Leg, before: Leg) -> Leg:
    start = {"started_at": before.started_at, "is_start_guessed": before.is_start_guessed}
    return msgspec.structs.replace(row, **start)


@given(data=st.data(), events=st.lists(EVENTS, max_size=4), rows=ROWS)
def test_after_any_events_in_any_order_a_call_is_as_in_the_statistics(
    data: st.DataObject, events: Sequence[Leg], rows: dict[int, list[Any]]
) -> None:
    """The rows may have one start and user, be corrected in any field, be deleted; events may be forged."""
    fates = list_steps(rows)
    others: list[Step] = [("event", leg) for leg in events]
    in_turn = [*itertools.chain(*fates), *others]
    order = data.draw(st.permutations([*itertools.chain(*([i] * len(fate) for i, fate in enumerate(fates)))]))
    next_of = [iter(fate) for fate in fates]
    shuffled: list[Step] = [
        next(next_of[index]) for index in order
    ]  # Each row's versions in their own order.
    for other in [*others, ("read", READ_AT)]:
        shuffled.insert(data.draw(st.integers(0, len(shuffled))), other)
    expected, ends = expect(fates), [live(in_turn), live(shuffled)]
    shown = [show(legs) for legs in ends if legs]
    if expected:
        for one in shown:
            assert facts_of(one.deciding) == expected
            assert one.leg in one.deciding
            assert find_operators(one) <= {7, 8}
        assert len(shown) == len(ends)
    if shown:
        assert facts_of([shown[0].leg]) == facts_of([shown[-1].leg])
        assert [sum_durations(one) for one in shown[1:]] == [sum_durations(shown[0])]


@given(data=st.data(), events=st.lists(EVENTS, min_size=1, max_size=5), rows=st.lists(VERSIONS, max_size=2))
def test_no_order_loses_a_telling_before_a_whole_read(
    data: st.DataObject, events: Sequence[Leg], rows: Sequence[Any]
) -> None:
    """Each event is a leg of its own, or belongs to a row of the same user and start."""
    read = [_version(number, *row) for number, row in enumerate(rows, 1)]
    steps = [("event", leg) for leg in events] + [("row", leg) for leg in read]
    legs = live(data.draw(st.permutations(steps)))
    for event in events:
        start = None if event.is_start_guessed else event.started_at
        found = [leg for leg in legs if leg.is_telling and leg.user_id == event.user_id]
        is_kept = any((None if leg.is_start_guessed else leg.started_at) == start for leg in found)
        rows_of_user = [row for row in read if row.user_id == event.user_id and not row.is_start_guessed]
        assert is_kept or start in [row.started_at for row in rows_of_user]
    if rows:
        assert facts_of(show(legs).deciding) == facts_of(read)


@pytest.mark.quick
def test_a_forged_event_changes_nothing_of_a_confirmed_call() -> None:
    legs = meet_statistics((), [make_row(1, code="304", user_id=7)])
    forged = leg_of_event(
        make_record(started_at=STARTED_AT + DAY_S, user_id=666, code="200", duration_s=9_000), 600
    )
    shown = show(meet_event(legs, forged))
    assert facts_of(shown.deciding) == facts_of(legs)
    assert shown.leg.user_id == 7
    assert find_operators(shown) == frozenset()
    assert sum_durations(shown) is None


@pytest.mark.parametrize("user_id", [None, 7])
def test_an_event_gives_no_row_an_operator(user_id: int | None) -> None:
    """Else a user that forges it would hear the recording of a call that no employee took."""
    legs = meet_statistics((), [make_row(1, user_id=user_id)])
    forged = leg_of_event(make_record(user_id=666, code="200"), 600)
    assert show(meet_event(legs, forged)).leg.user_id == user_id
    assert show(meet_statistics((forged,), [make_row(1, user_id=user_id)])).leg.user_id == user_id


@pytest.mark.parametrize("user_id", [7, FORGER])
@pytest.mark.parametrize("is_event_first", [True, False])
def test_a_row_takes_no_fact_of_an_event(user_id: int, *, is_event_first: bool) -> None:
    """The portal makes its events from its rows: an event with more facts was forged, or the fact was
    removed.
    """
    event = leg_of_event(make_record(user_id=user_id, reason="~ forged", currency="ZZZ", code="200"), 100)
    row = make_row(1, phone_number=None, reason=None, currency=None, code=None, cost_e4=None)
    legs = meet_statistics((event,), [row]) if is_event_first else meet_event((row,), event)
    assert facts_of(show(legs).deciding) == facts_of([row])
    corrected = make_row(1, phone_number="+12025550123")
    legs = meet_statistics(meet_statistics(legs, [corrected]), [row])
    assert facts_of(show(legs).deciding) == facts_of([row])


def test_a_missed_row_does_not_hide_the_answer_a_minute_later_whose_row_is_late() -> None:
    """This holds too if the event of the miss was lost."""
    row = make_row(1, code="304", duration_s=0)
    answered = leg_of_event(make_record(started_at=STARTED_AT + 60, code="200", reason="answered"), 100)
    shown = show(meet_statistics((answered,), [row]))
    assert facts_of(shown.deciding) == facts_of([row])
    assert shown.doubtful == (answered,)


@pytest.mark.parametrize("corrected", [{"user_id": 8}, {"started_at": STARTED_AT + 1}, {"code": "200"}])
def test_an_event_and_the_row_that_corrects_it_are_listed_once(corrected: dict[str, Any]) -> None:
    event = leg_of_event(make_record(), 100)
    assert show(meet_event((make_row(1, **corrected),), event)).doubtful == ()


@pytest.mark.parametrize("user_id", [7, FORGER])
@pytest.mark.parametrize("is_renamed", [True, False])
def test_a_deleted_or_renamed_row_leaves_its_call_to_its_operator(user_id: int, *, is_renamed: bool) -> None:
    """As long as the row is kept: events about the call are only in doubt, as before."""
    row = make_row(1, code="304")
    told = make_record(user_id=user_id, started_at=STARTED_AT + 60, code="200", duration_s=9_000)
    legs = meet_event((row,), leg_of_event(told, 600))
    legs = (give_up_ids if is_renamed else mark_gone)(legs, frozenset({1}), GONE_AT)
    shown = show(legs)
    assert (shown.leg.user_id, shown.leg.code, shown.is_confirmed, shown.is_gone) == (7, "304", False, True)
    assert [leg.code for leg in shown.doubtful] == ["200"]
    assert (find_operators(shown), sum_durations(shown)) == (frozenset(), None)
    assert forget_old(legs, GONE_AT + 1) == ()


@pytest.mark.parametrize("users", [(7, 7), (7, 8), (8, 7)])
def test_two_rows_of_one_start_keep_their_facts_apart(users: tuple[int, int]) -> None:
    event = leg_of_event(make_record(reason="told"), 100)
    rows = [make_row(one, user_id=user, reason=None) for one, user in enumerate(users, 1)]
    steps = [("event", event), *(("row", row) for row in rows)]
    ends = [facts_of(show(live(order)).deciding) for order in itertools.permutations(steps)]
    assert ends == [facts_of(rows)] * len(ends)


def test_several_rows_add_up_and_the_call_is_each_operator_s() -> None:
    rows = [
        make_row(1, user_id=7, duration_s=10),
        make_row(2, user_id=8, started_at=STARTED_AT + 20, code="200", duration_s=30),
    ]
    shown = show(meet_statistics((), rows))
    assert (shown.leg.user_id, shown.leg.duration_s) == (8, 30)
    assert sum_durations(shown) == 40
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
