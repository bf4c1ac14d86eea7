"""The statistics, read forward to their end, over what events told."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest.portal_client import BatchAnswer, Command
from app.calls.intake.group_commit import Ingest
from app.calls.log.logged_calls import Viewer, list_calls, list_legs
from app.calls.log.selection.filters import Filters, ListRequest
from app.calls.oddities.undecodable_events import list_undecodable
from app.calls.statistics.fetch.range_requests import StatisticsRefusedError
from app.calls.statistics.forward_read import SyncResult
from app.calls.statistics.progress.mark_queries import find_mark
from app.calls.statistics.progress.plan import PAGE_ROWS
from app.calls.statistics.read_turns import Histories
from app.calls.store.counted_calls import GRACE_S
from app.demo.core.statistics import StatisticsRow, select_rows, sort_rows
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.model import Portal
from app.portals.news import Changes
from app.portals.outbound.access import PortalNotConnectedError
from app.portals.settings.visible_users import EVERYONE
from tests.calls.stored_calls import TOKEN_HASH, insert_portal, make_record, read_calls, read_legs, uninstall
from tests.running import FakeClock

HOUR = 3600


class FakeAccess:
    """Answers as a portal's statistics do, by the stand-in's own filters."""

    def __init__(self, *rows: StatisticsRow) -> None:
        self.rows = list(rows)
        self.requests: list[list[Mapping[str, Any]]] = []
        self.wire_changes: dict[str, Any] = {}
        self.audits = 0
        self.shown_users: set[int | None] | None = None

    async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
        self.requests.append([parameters for _, parameters in commands.values()])
        assert len(commands) <= 50
        assert {method for method, _ in commands.values()} == {"voximplant.statistic.get"}
        results = {name: self.answer(parameters) for name, (_, parameters) in commands.items()}
        counted = {name: parameters for name, (_, parameters) in commands.items() if not parameters["start"]}
        totals = {name: self.count(parameters) for name, parameters in counted.items()}
        if counted:
            self.requests.pop()
            self.audits += 1
        return BatchAnswer(results, {}, totals, {}, {"date_start": "2026-11-23T10:00:00+01:00"})

    def count(self, parameters: Mapping[str, Any]) -> int:
        """The portal's own total, for requests that ask for one."""
        return len(self.select(parameters))

    def select(self, parameters: Mapping[str, Any]) -> list[StatisticsRow]:
        """The rows that the owner of the token is shown."""
        rows = select_rows(self.rows, parameters["FILTER"])
        return [row for row in rows if self.shown_users is None or row.user_id in self.shown_users]

    def answer(self, parameters: Mapping[str, Any]) -> Any:
        found = sort_rows(self.select(parameters), parameters["SORT"], parameters["ORDER"])
        return [row.to_wire(7200) | self.wire_changes for row in found[:PAGE_ROWS]]


class Reading:
    """Everything that a read needs, with one portal."""

    def __init__(self, database: Database, clock: FakeClock, changes: Changes, portal: Portal) -> None:
        self.database, self.clock, self.changes, self.portal = database, clock, changes, portal

    @property
    def started_at(self) -> int:
        return self.clock.now() - HOUR

    def make_row(self, number: int = 1, **changes: Any) -> StatisticsRow:
        fields: dict[str, Any] = {
            "id": number,
            "call_id": "call.1",
            "call_type": 2,
            "phone_number": "+12025550123",
            "portal_number": "reg133788",
            "user_id": 7,
            "started_at": self.started_at,
            "duration_s": 35,
        }
        return StatisticsRow(**(fields | changes))

    async def read(self, access: FakeAccess) -> SyncResult:
        return await Histories(access, self.database, self.clock, self.changes).catch_up(self.portal)

    async def calls(self) -> list[dict[str, Any]]:
        return await read_calls(self.database, self.portal.id)

    async def legs(self) -> list[tuple[object, object]]:
        rows = await read_legs(self.database, self.portal.id)
        return [(row["started_at"], row["statistics_id"]) for row in rows]

    async def shown(self) -> list[tuple[int, bool | None]]:
        """Start of each leg that the log lists for the one call, and whether it is confirmed."""
        viewer = Viewer(self.portal.id, 1, EVERYONE)
        (call,) = (await list_calls(viewer, ListRequest(Filters()))).calls
        return [(leg.started_at, leg.confirmed) for leg in (await list_legs(viewer, [call]))[call.id]]


@pytest.fixture
async def reading(database: Database, clock: FakeClock, changes: Changes) -> Reading:
    portal = await queries.get_portal(await insert_portal())
    assert portal is not None
    return Reading(database, clock, changes, portal)


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
    """It is listed while the statistics may be behind, then a whole read decides; its event stays stored."""
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
    """Missed, then answered within a minute: one row must not stand for both."""
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
    """A portal that was restored or moved gives ids again; a CALL_ID can be added to a row later."""
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


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (49, 1), (50, 2), (51, 2), (1101, 3)])
async def test_everything_new_is_read_to_the_end(reading: Reading, count: int, requests: int) -> None:
    await reading.read(FakeAccess())
    access = FakeAccess(*(reading.make_row(3 * i + 5, call_id=f"call.{i}") for i in range(count)))
    result = await reading.read(access)
    assert (result.rows, result.calls_inserted) == (count, count)
    assert len(await reading.calls()) == count
    assert len(access.requests) == requests


async def test_a_read_begins_where_the_mark_stood_an_hour_before_or_200_ids_before_it(
    reading: Reading,
) -> None:
    old = reading.clock.now() - 50 * HOUR
    rows = [reading.make_row(i, call_id=f"call.{i}", started_at=old) for i in range(1, 51)]
    late = [reading.make_row(i, call_id=f"call.{i}", started_at=old) for i in (400, 401, 600)]
    await reading.read(FakeAccess(*rows))
    await reading.read(FakeAccess(*rows, late[2]))
    for _ in range(2):
        reading.clock.advance(HOUR)
        await reading.read(FakeAccess(*rows, late[2]))
    assert (await reading.read(FakeAccess(*rows, *late))).calls_inserted == 1
    assert {call["call_id"] for call in await reading.calls()} >= {"call.401", "call.600"}
    soon = [reading.make_row(i, call_id=f"call.{i}", started_at=old) for i in (700, 1100)]
    await reading.read(FakeAccess(*rows, *late, soon[1]))
    assert (await reading.read(FakeAccess(*rows, *late, *soon))).calls_inserted == 1


async def test_calls_of_two_days_are_read_again_however_many_they_are_and_once_a_day_those_of_thirty(
    reading: Reading,
) -> None:
    told = {"started_at": reading.started_at}
    rows = [reading.make_row(i, call_id=f"call.{i}", **told) for i in range(1, 502)]
    await reading.read(FakeAccess())
    await reading.read(FakeAccess(*rows))
    reading.clock.advance(46 * HOUR)
    assert (await reading.read(FakeAccess(*rows))).rows == 501  # A full one: a day has passed.
    rows[0] = reading.make_row(1, record_file_id=9, **told)
    assert (await reading.read(FakeAccess(*rows))).calls_changed == 1
    reading.clock.advance(HOUR)
    await reading.read(FakeAccess(*rows))
    reading.clock.advance(HOUR)
    rows[1] = reading.make_row(2, call_id="call.2", record_file_id=9, **told)
    assert (await reading.read(FakeAccess(*rows))).rows == 200
    reading.clock.advance(19 * HOUR)
    assert (await reading.read(FakeAccess(*rows))).calls_changed == 1
    reading.clock.advance(24 * HOUR)
    await reading.read(FakeAccess(*rows))
    reading.clock.advance(30 * 24 * HOUR)
    access = FakeAccess(*rows)
    assert (await reading.read(access)).rows == 501
    assert sum(len(access.answer(one)) for one in access.requests[0]) == 200  # The rest is the day's slice.


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


async def test_an_event_that_dates_an_old_call_anew_makes_no_read_longer(
    reading: Reading, ingest: Ingest
) -> None:
    old = reading.clock.now() - 100 * 24 * HOUR
    rows = [reading.make_row(i, call_id=f"call.{i}", started_at=old) for i in range(1, 502)]
    await reading.read(FakeAccess())
    for _ in range(3):
        await reading.read(FakeAccess(*rows))
        reading.clock.advance(HOUR)
    await ingest.store(reading.portal.id, TOKEN_HASH, make_record("call.1", started_at=reading.started_at))
    assert (await reading.read(FakeAccess(*rows))).rows == 200


async def test_a_filter_that_is_not_applied_ends_the_read(reading: Reading) -> None:
    class Deaf(FakeAccess):
        def answer(self, parameters: Mapping[str, Any]) -> Any:
            return super().answer({**parameters, "FILTER": {}})

    await reading.read(FakeAccess(reading.make_row(900)))
    with pytest.raises(StatisticsRefusedError) as caught:
        await reading.read(Deaf(*(reading.make_row(i, call_id=f"call.{i}") for i in range(1, 120))))
    assert caught.value.code == "filter_not_applied"
    assert len(await reading.calls()) == 1


async def test_an_order_that_is_not_applied_ends_the_read(reading: Reading) -> None:
    class Disorderly(FakeAccess):
        def answer(self, parameters: Mapping[str, Any]) -> Any:
            return super().answer({**parameters, "SORT": ""})

    with pytest.raises(StatisticsRefusedError) as caught:
        await reading.read(Disorderly(reading.make_row(1), reading.make_row(2)))
    assert caught.value.code == "order_not_applied"


@pytest.mark.parametrize("result", [None, "x", {"1": {}}, [1], [{"ID": None}], [{}]])
async def test_an_answer_that_is_no_list_of_rows_is_refused(reading: Reading, result: object) -> None:
    class Odd(FakeAccess):
        def answer(self, parameters: Mapping[str, Any]) -> Any:
            return result

    await reading.read(FakeAccess(reading.make_row()))
    with pytest.raises(StatisticsRefusedError):
        await reading.read(Odd())


@pytest.mark.parametrize("what", ["fails", "is missing"])
async def test_a_command_that_fails_is_asked_again_and_the_mark_waits_for_it(
    reading: Reading, what: str
) -> None:
    class Flaky(FakeAccess):
        async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
            answer = await super().batch(portal, commands)
            if len(self.requests) < 4:
                name = [*commands][-1]
                del answer.results[name]
                if what == "fails":
                    answer.errors[name] = BitrixError("internal_server_error", 500)
            return answer

    await reading.read(FakeAccess(reading.make_row(1)))
    access = Flaky(*(reading.make_row(i, call_id=f"call.{i}") for i in range(1, 120)))
    assert (await reading.read(access)).rows == 119
    assert len(await reading.calls()) == 119


async def test_a_row_in_which_something_cannot_be_read_is_a_call_all_the_same(reading: Reading) -> None:
    access = FakeAccess(reading.make_row(record_url="https://x.example/?token=secret"))
    access.wire_changes = {"CALL_DURATION": "long", "CALL_ID": None, "CALL_TYPE": "9"}
    for _ in range(2):
        result = await reading.read(access)
        assert (result.rows, result.undecodable) == (1, 1)
    (call,) = await reading.calls()
    assert (call["call_id"], call["duration_s"], call["type"]) == ("statistics.1", None, None)
    assert (call["phone_number"], bool(call["is_confirmed"])) == ("+12025550123", True)
    (kept,) = await list_undecodable(reading.portal.id)
    assert (kept.event, kept.data["CALL_DURATION"]) == ("voximplant.statistic.get", "long")
    assert {"CALL_ID is missing", "CALL_TYPE is not one of 1 to 5"} <= set(kept.reason.split("; "))
    assert "secret" not in str(kept.data)


async def test_a_row_without_an_id_is_kept_and_the_mark_does_not_claim_it(reading: Reading) -> None:
    class Odd(FakeAccess):
        def answer(self, parameters: Mapping[str, Any]) -> Any:
            rows = super().answer(parameters)
            return [*rows, {"ID": None, "CALL_ID": "lost"}] if rows else rows

    await reading.read(FakeAccess())
    before = await find_mark(reading.portal.id, reading.portal.generation)
    assert before is not None
    with pytest.raises(StatisticsRefusedError) as caught:
        await reading.read(Odd(reading.make_row()))
    assert caught.value.code == "row_without_id"
    mark = await find_mark(reading.portal.id, reading.portal.generation)
    assert mark is not None
    assert (mark.high_id, mark.read_up_to, mark.looked_at) == (0, before.read_up_to, before.looked_at)
    assert [call["call_id"] for call in await reading.calls()] == ["call.1"]
    assert [event.data["CALL_ID"] for event in await list_undecodable(reading.portal.id)] == ["lost"]


@pytest.mark.parametrize("is_installed_again", [True, False])
async def test_a_read_of_an_older_generation_writes_nothing(
    reading: Reading, *, is_installed_again: bool
) -> None:
    if is_installed_again:
        await queries.update_locked(reading.portal.id, {"generation": 2})
    else:
        await uninstall(reading.portal.id)
    with pytest.raises(PortalNotConnectedError):
        await reading.read(FakeAccess(reading.make_row()))
    assert (await reading.calls(), await reading.legs()) == ([], [])


async def test_an_uninstall_during_the_read_ends_it(reading: Reading) -> None:
    class Slow(FakeAccess):
        async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
            if len(self.requests) == 1:
                await uninstall(portal.id)
            return await super().batch(portal, commands)

    await reading.read(FakeAccess())
    with pytest.raises(PortalNotConnectedError):
        await reading.read(Slow(*(reading.make_row(i, call_id=f"call.{i}") for i in range(1, 1002))))
    assert len(await reading.calls()) == 50


async def test_a_read_is_noted_and_announced(reading: Reading) -> None:
    async with reading.changes.watch(reading.portal.id) as watch:
        await reading.read(FakeAccess(reading.make_row()))
        await watch.wait()
        await reading.read(FakeAccess(reading.make_row()))
        assert watch.has_news  # "Complete up to" is told of each time.
    portal = await queries.get_portal(reading.portal.id)
    assert portal is not None
    assert portal.synced_at == reading.clock.now()


async def test_events_and_a_read_at_once_lose_nothing(reading: Reading, ingest: Ingest) -> None:
    numbers = range(1, 400)
    access = FakeAccess(*(reading.make_row(i, call_id=f"call.{i}") for i in numbers))
    stores = [
        ingest.store(reading.portal.id, TOKEN_HASH, make_record(f"call.{i}", started_at=reading.started_at))
        for i in numbers
    ]
    await reading.read(FakeAccess())
    *answers, result = await asyncio.gather(*stores, reading.read(access))
    assert all(answers)
    assert isinstance(result, SyncResult)
    assert len(await reading.calls()) == len(numbers)
    assert len(await reading.legs()) == len(numbers)
