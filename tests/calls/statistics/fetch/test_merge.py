"""Rows of the statistics become calls and legs, in place of those from events."""

from typing import Any

import pytest

from app.calls.intake.group_commit import Ingest
from app.calls.store.counted_calls import GRACE_S
from tests.calls.statistics.fetch.fake_statistics import HOUR, FakeAccess, Reading
from tests.calls.stored_calls import TOKEN_HASH, make_record


async def test_what_no_event_told_is_inserted_as_history(reading: Reading) -> None:
    row = reading.make_row(crm_entity_type="CONTACT", crm_entity_id=5, record_file_id=9, transcript_id=3)
    result = await reading.read(FakeAccess(row))
    assert (result.rows, result.calls_inserted, result.calls_changed) == (1, 1, 0)
    (call,) = await reading.calls()
    assert (call["source"], call["phone_digits"]) == ("history", "12025550123")
    assert (call["crm_entity_type"], call["crm_entity_id"]) == ("CONTACT", 5)
    assert (bool(call["has_recording"]), bool(call["has_transcript"])) == (True, True)
    assert await reading.legs() == [(reading.started_at, 1)]


async def test_an_event_becomes_what_its_row_says_and_stays_an_event(
    reading: Reading, ingest: Ingest
) -> None:
    record = make_record(started_at=reading.started_at, code="304", reason="told by the event")
    await ingest.store(reading.portal.id, TOKEN_HASH, record)
    row = reading.make_row(code="200", record_file_id=9, reason="", phone_number="+12025550124")
    result = await reading.read(FakeAccess(row))
    assert (result.calls_inserted, result.calls_changed) == (0, 1)
    (call,) = await reading.calls()
    assert (call["source"], call["code"], call["reason"]) == ("event", "200", None)
    assert (bool(call["has_recording"]), call["phone_number"]) == (True, "+12025550124")
    assert call["phone_digits"] == "12025550124"
    assert await reading.legs() == [(reading.started_at, 1)]


async def test_the_same_read_again_changes_nothing(reading: Reading) -> None:
    access = FakeAccess(reading.make_row(), reading.make_row(2, started_at=reading.started_at + 20))
    await reading.read(access)
    before = await reading.calls(), await reading.legs()
    result = await reading.read(access)
    assert (result.calls_inserted, result.calls_changed) == (0, 0)
    assert (await reading.calls(), await reading.legs()) == before


async def test_late_facts_are_taken_over(reading: Reading) -> None:
    await reading.read(FakeAccess(reading.make_row(crm_entity_type="LEAD", crm_entity_id=1)))
    changed = reading.make_row(crm_entity_type="CONTACT", crm_entity_id=2, record_file_id=4)
    assert (await reading.read(FakeAccess(changed))).calls_changed == 1
    (call,) = await reading.calls()
    assert (call["crm_entity_type"], call["crm_entity_id"]) == ("CONTACT", 2)
    assert bool(call["has_recording"])


async def test_rows_of_one_call_are_its_legs_and_the_answered_one_shows(reading: Reading) -> None:
    started_at = reading.started_at
    rows = [
        reading.make_row(1, code="304", user_id=1, started_at=started_at),
        reading.make_row(2, code="200", user_id=2, started_at=started_at + 20),
        reading.make_row(3, code="304", user_id=3, started_at=started_at + 40),
    ]
    await reading.read(FakeAccess(*rows))
    (call,) = await reading.calls()
    assert (call["user_id"], call["code"], call["started_at"]) == (2, "200", started_at + 20)
    assert await reading.legs() == [(started_at, 1), (started_at + 20, 2), (started_at + 40, 3)]


@pytest.mark.parametrize("is_event_first", [True, False])
async def test_an_event_and_its_row_are_one_leg_in_either_order(
    reading: Reading, ingest: Ingest, *, is_event_first: bool
) -> None:
    record = make_record(started_at=reading.started_at, code="200")
    access = FakeAccess(reading.make_row(code="200"))
    if is_event_first:
        await ingest.store(reading.portal.id, TOKEN_HASH, record)
    await reading.read(access)
    await ingest.store(reading.portal.id, TOKEN_HASH, record)
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record(started_at=None, code="200"))
    assert len(await reading.calls()) == 1
    assert await reading.shown() == [(reading.started_at, True)]


async def test_a_leg_that_only_an_event_told_of_decides_nothing_and_is_doubted_like_a_call(
    reading: Reading, ingest: Ingest
) -> None:
    """The leg is listed while the statistics may be behind. Then a whole read decides; the leg's event stays
    stored.
    """
    started_at = reading.started_at
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record(started_at=started_at + 400, code="200"))
    access = FakeAccess(reading.make_row(code="304"))
    await reading.read(access)
    assert (await reading.calls())[0]["code"] == "304"
    assert await reading.shown() == [(started_at, True), (started_at + 400, None)]
    reading.clock.advance(GRACE_S + 1)
    await reading.read(access)
    assert await reading.shown() == [(started_at, True)]
    assert await reading.legs() == [(started_at, 1), (started_at + 400, None)]


async def test_a_row_that_comes_hours_later_finds_its_leg(reading: Reading, ingest: Ingest) -> None:
    """The call was missed, then answered within a minute: one row must not stand for both."""
    missed, answered = reading.started_at, reading.started_at + 40
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record(started_at=missed))
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record(started_at=answered, code="200"))
    access = FakeAccess(reading.make_row(code="304"))
    await reading.read(access)
    assert await reading.shown() == [(missed, True), (answered, None)]
    for _ in range(3):
        await reading.read(access)
        reading.clock.advance(3 * GRACE_S)
    access.rows.append(reading.make_row(2, started_at=answered, code="200", reason="by the row"))
    await reading.read(access)
    (call,) = await reading.calls()
    assert (call["code"], call["reason"]) == ("200", "by the row")
    assert await reading.legs() == [(missed, 1), (answered, 2)]


@pytest.mark.parametrize("corrected", [{"user_id": 8}, {"started_at": 30}, {"code": "200"}])
async def test_what_is_corrected_between_event_and_row_leaves_no_second_leg(
    reading: Reading, ingest: Ingest, corrected: dict[str, Any]
) -> None:
    told: dict[str, Any] = {"user_id": 7, "started_at": reading.started_at, "code": "304"}
    now = told | corrected | {"started_at": told["started_at"] + corrected.get("started_at", 0)}
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record(**told))
    await reading.read(FakeAccess(reading.make_row(**now)))
    (call,) = await reading.calls()
    assert {name: call[name] for name in told} == now
    assert await reading.shown() == [(now["started_at"], True)]


async def test_what_came_as_an_event_alone_leaves_after_thirty_days_beside_a_row(
    reading: Reading, ingest: Ingest
) -> None:
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record(started_at=reading.started_at + 900))
    await reading.read(FakeAccess(reading.make_row()))
    reading.clock.advance(31 * 24 * HOUR)
    await reading.read(FakeAccess(reading.make_row(started_at=reading.started_at - 31 * 24 * HOUR)))
    assert [statistics_id for _, statistics_id in await reading.legs()] == [1]


async def test_a_row_takes_over_the_id_of_another_call_which_is_confirmed_no_longer(reading: Reading) -> None:
    """A portal that was restored or moved gives ids again, and can add a CALL_ID to a row later."""
    await reading.read(FakeAccess(reading.make_row(1, call_id="old"), reading.make_row(2, call_id="other")))
    result = await reading.read(FakeAccess(reading.make_row(1, call_id="new", user_id=9)))
    assert result.calls_inserted == 1
    shown = {call["call_id"]: bool(call["is_confirmed"]) for call in await reading.calls()}
    assert shown == {"new": True, "old": False, "other": True}
    reading.clock.advance(31 * 24 * HOUR)
    await reading.read(FakeAccess(reading.make_row(1, call_id="new", user_id=9)))
    assert {call["call_id"] for call in await reading.calls()} == {"new", "other"}


async def test_a_row_whose_name_can_be_read_no_longer_keeps_the_one_that_it_had(reading: Reading) -> None:
    access = FakeAccess(reading.make_row())
    await reading.read(access)
    before = await reading.calls(), await reading.legs()
    for unreadable in (None, ["call.1"]):
        access.wire_changes = {"CALL_ID": unreadable}
        await reading.read(access)
        assert (await reading.calls(), await reading.legs()) == before


async def test_a_call_that_the_statistics_lack_stays(reading: Reading, ingest: Ingest) -> None:
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record("unseen", started_at=reading.started_at))
    before = await reading.calls()
    reading.clock.advance(GRACE_S + 1)
    assert (await reading.read(FakeAccess())).rows == 0
    assert await reading.calls() == before


async def test_a_guessed_start_becomes_the_row_s(reading: Reading, ingest: Ingest) -> None:
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record(started_at=None), 17)
    await reading.read(FakeAccess(reading.make_row(code="304")))
    (call,) = await reading.calls()
    assert (call["started_at"], bool(call["is_start_guessed"])) == (reading.started_at, False)
    assert await reading.legs() == [(17, None), (reading.started_at, 1)]
    assert await reading.shown() == [(reading.started_at, True)]


async def test_what_the_portal_has_removed_is_removed_here(reading: Reading) -> None:
    told: dict[str, Any] = {
        "crm_entity_type": "LEAD",
        "crm_entity_id": 1,
        "crm_activity_id": 5,
        "record_file_id": 9,
    }
    await reading.read(FakeAccess(reading.make_row(**told, transcript_id=4, vote=3, comment="Well done")))
    (call,) = await reading.calls()
    assert (call["vote"], call["comment"]) == (3, "Well done")
    await reading.read(FakeAccess(reading.make_row()))
    (call,) = await reading.calls()
    names = ("crm_entity_type", "crm_entity_id", "crm_activity_id", "vote", "comment")
    assert [call[name] for name in names] == [None] * 5
    assert (bool(call["has_recording"]), bool(call["has_transcript"])) == (False, False)
