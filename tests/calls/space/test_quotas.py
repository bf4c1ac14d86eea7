"""The quotas of a portal: at a bound nothing is lost unnoticed, and nothing is promised."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from app.calls.intake.group_commit import Ingest
from app.calls.space import usage_count as recount_module
from app.calls.space import usage_queries
from app.calls.space.room import FULL_FOR_S, Room
from app.calls.space.usage_count import Recount
from app.calls.space.usage_queries import find_usage
from app.calls.statistics.progress.mark_queries import find_mark
from app.calls.statistics.read_turns import Histories
from app.calls.store.legs import MOST_SHOWN, MOST_TOLD
from app.demo.core.statistics import StatisticsRow
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.model import Portal
from app.portals.news import Changes
from app.portals.settings.quotas import MIB, QuotaReached, Quotas
from tests.calls.statistics.fetch.fake_statistics import FakeAccess
from tests.calls.stored_calls import TOKEN_HASH, insert_portal, make_record, read_calls, read_legs
from tests.running import FakeClock

HOUR = 3600


class MovingAccess(FakeAccess):
    """A portal whose clock is ours."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock

    async def batch(self, portal: Any, commands: Any) -> Any:
        answer = await super().batch(portal, commands)
        began = datetime.fromtimestamp(self.clock.now(), UTC).isoformat()
        return msgspec.structs.replace(answer, time={"date_start": began})


class Place:
    """One portal within a quota, and all writers of its log."""

    def __init__(self, database: Database, clock: FakeClock, quotas: Quotas, portal: Portal) -> None:
        self.database, self.clock, self.portal = database, clock, portal
        self.room = Room(database, clock, quotas)
        changes = Changes(database)
        self.ingest = Ingest(database, clock, changes, self.room)
        self.access = MovingAccess(clock)
        self.histories = Histories(self.access, database, clock, changes, self.room)

    async def send(self, *call_ids: str, **changes: Any) -> list[bool | BaseException]:
        """Send events at once; return the answer to each."""
        records = [
            make_record(call_id, started_at=self.clock.now() - HOUR, **changes) for call_id in call_ids
        ]
        stores = (self.ingest.store(self.portal.id, TOKEN_HASH, record) for record in records)
        return await asyncio.gather(*stores, return_exceptions=True)

    def show(self, *numbers: int, **changes: Any) -> None:
        """Add rows to the statistics."""
        for number in numbers:
            fields: dict[str, Any] = {
                "id": number,
                "call_id": f"shown.{number}",
                "call_type": 2,
                "phone_number": "+12025550123",
                "portal_number": "reg133788",
                "user_id": 7,
                "started_at": self.clock.now() - HOUR + number,
                "duration_s": 35,
            }
            self.access.rows.append(StatisticsRow(**(fields | changes)))

    async def read(self) -> None:
        """Read the history to its end, and then the new rows."""
        mark = await self.histories.run_slice(self.portal)
        while mark is not None and mark.history_state == "running" and not mark.failures:
            mark = await self.histories.run_slice(self.portal)
        await self.histories.catch_up(self.portal)

    async def list_ids(self) -> list[object]:
        return sorted(row["call_id"] for row in await read_calls(self.database, self.portal.id))

    async def find_claim(self) -> int | None:
        mark = await find_mark(self.portal.id, self.portal.generation)
        return None if mark is None else mark.complete_up_to

    async def count(self) -> int:
        legs = await read_legs(self.database, self.portal.id)
        return len(await self.list_ids()) + len(legs)

    async def remove(self, call_id: str) -> None:
        """Remove calls as the retention does."""
        sign = "?" if self.database.is_sqlite else "$1"
        for table in ("calls", "call_legs"):
            await self.database.run(f"DELETE FROM {table} WHERE call_id = {sign}", call_id)
        await recount(self)


async def recount(place: Place) -> None:
    """Count again as the scheduler does when it is time."""
    await place.database.run("UPDATE portal_usage SET counted_at = 0")
    await Recount(place.database, place.clock, {}).run_due()


@pytest.fixture
async def open_place(database: Database, clock: FakeClock) -> AsyncIterator[Any]:
    opened: list[Place] = []

    async def open_one(quotas: Quotas, member_id: str = "a" * 32) -> Place:
        known = await queries.find_portal(member_id)
        portal = known or await queries.get_portal(await insert_portal(member_id))
        assert portal is not None
        place = Place(database, clock, quotas, portal)
        await place.ingest.start()
        opened.append(place)
        return place

    yield open_one
    for place in opened:
        await place.ingest.stop()


def is_refused(answers: Sequence[bool | BaseException]) -> list[bool]:
    return [isinstance(answer, QuotaReached) for answer in answers]


async def fill_with_confirmed(place: Place, *numbers: int) -> None:
    place.show(*numbers)
    with suppress(QuotaReached):
        await place.read()
    await place.room.write()


async def test_what_is_noted_is_what_is_stored(open_place: Any) -> None:
    place = await open_place(Quotas())
    await place.send("call.1", "call.2", "call.1", phone_number="+1202 📞", reason="длинно")
    await place.send("call.1", duration_s=1)
    place.show(1, 2, call_id="call.2", comment="so so", crm_entity_type="LEAD", crm_entity_id=1)
    place.show(3, 4, 5)
    await place.read()
    await place.read()
    await place.room.write()
    noted = await find_usage(place.portal.id)
    await recount(place)
    assert (await find_usage(place.portal.id)).size == noted.size
    assert noted.row_count == await place.count()
    assert noted.text_bytes > len("call.1") * noted.row_count


@pytest.mark.quick
async def test_a_flood_ends_at_the_quota_and_its_oldest_calls_go_first(
    open_place: Any, clock: FakeClock
) -> None:
    place = await open_place(Quotas(rows=1_000))
    other = await open_place(Quotas(rows=1_000), "b" * 32)
    for turn in range(6):
        await place.send(*(f"flood.{turn}.{number:03}" for number in range(400)))
        assert (await other.send(f"honest.{turn}")) == [True]
        await place.room.write()
        assert await place.count() < 1_400  # The bound may be noticed one batch late.
        clock.advance(FULL_FOR_S)
    await place.room.write()
    kept = await place.list_ids()
    assert "flood.5.399" in kept
    assert not any(str(call_id).startswith("flood.0") for call_id in kept)
    assert len(await other.list_ids()) == 6


@pytest.mark.quick
async def test_a_confirmed_call_never_goes_and_then_events_are_refused(open_place: Any) -> None:
    place = await open_place(Quotas(rows=8))
    await fill_with_confirmed(place, 1, 2, 3, 4)  # Two rows each: the call and its leg.
    before = await place.list_ids()
    assert is_refused(await place.send("call.1", "call.2")) == [True, True]
    assert await place.list_ids() == before


async def test_unconfirmed_calls_make_room_for_confirmed_ones(open_place: Any) -> None:
    place = await open_place(Quotas(rows=6))
    await place.send(*(f"told.{number}" for number in range(6)))
    await fill_with_confirmed(place, 1, 2)
    assert await place.list_ids() == ["shown.1", "shown.2"]


async def test_at_the_quota_nothing_is_asked_of_the_portal(open_place: Any) -> None:
    place = await open_place(Quotas(rows=4))
    await fill_with_confirmed(place, 1, 2)
    asked = len(place.access.requests)
    place.show(3)
    with pytest.raises(QuotaReached):
        await place.read()
    assert len(place.access.requests) == asked


@pytest.mark.quick
async def test_the_claim_stops_before_what_was_refused_until_it_is_filled_in(
    open_place: Any, clock: FakeClock
) -> None:
    place = await open_place(Quotas(rows=8))
    await fill_with_confirmed(place, 1, 2, 3)
    claim = await place.find_claim()
    assert claim == clock.now()
    await fill_with_confirmed(place, 4)
    clock.advance(60)
    refused_at = clock.now()
    assert is_refused(await place.send("shown.5")) == [True]
    for _ in range(3):
        clock.advance(60)
        with pytest.raises(QuotaReached):
            await place.read()
        assert (await place.find_claim() or 0) < refused_at
    place.show(5)
    await place.remove("shown.1")
    clock.advance(FULL_FOR_S)
    await place.read()
    assert "shown.5" in await place.list_ids()
    assert await place.find_claim() == clock.now()


async def test_a_read_that_meets_the_quota_midway_claims_nothing_and_goes_on(
    open_place: Any, clock: FakeClock
) -> None:
    place = await open_place(Quotas(rows=304))
    await fill_with_confirmed(place, 1)
    before = await place.find_claim()
    clock.advance(60)
    place.show(*range(2, 402))
    with pytest.raises(QuotaReached):
        await place.read()
    assert await place.find_claim() == before
    assert await place.count() < 304 + 2 * 100  # Its last chunk began when there was room.
    wider = await open_place(Quotas(rows=10_000))
    wider.access.rows, wider.access = place.access.rows, place.access
    wider.histories.access = place.access
    clock.advance(60)
    await wider.read()
    assert len(await wider.list_ids()) == 401
    assert await place.find_claim() == clock.now() - 60  # The begin of the read that was cut off.


@pytest.mark.parametrize("seed", range(3))
async def test_the_claim_is_true_after_any_events(open_place: Any, clock: FakeClock, seed: int) -> None:
    """All that the statistics showed at the moment of the claim is in the log, except for removed calls."""
    chance = random.Random(seed)
    place = await open_place(Quotas(rows=30))
    shown_at: dict[str, int] = {}
    removed: set[str] = set()
    refused_at: list[int] = []
    for number in range(1, 120):
        clock.advance(chance.randrange(1, 30))
        if chance.random() < 0.6:
            (answer,) = await place.send(f"shown.{number}")
            refused_at += [clock.now()] if isinstance(answer, QuotaReached) else []
        if chance.random() < 0.7:
            place.show(number)
            shown_at[f"shown.{number}"] = clock.now()
        if chance.random() < 0.2:
            for call_id in (await place.list_ids())[:2]:
                await place.remove(str(call_id))
                removed.add(str(call_id))
        with suppress(QuotaReached):
            await place.read()
            refused_at.clear()  # The read reached the end, with room left.
        claim, logged = await place.find_claim() or 0, {*await place.list_ids()}
        assert all(claim < moment for moment in refused_at)
        assert {call_id for call_id, at in shown_at.items() if at < claim} <= logged | removed
    assert removed
    assert len(await place.list_ids()) < len(shown_at)


async def test_two_processes_store_no_more_than_the_quota_and_what_each_takes_in_a_moment(
    open_place: Any, clock: FakeClock
) -> None:
    first, second = await open_place(Quotas(rows=1_000)), await open_place(Quotas(rows=1_000))
    await fill_with_confirmed(first, *range(1, 480))
    for turn in range(4):
        await asyncio.gather(
            *(
                place.send(*(f"{name}.{turn}.{number}" for number in range(200)))
                for name, place in (("first", first), ("second", second))
            )
        )
        for place in (first, second):
            await place.room.write()
        clock.advance(FULL_FOR_S)
    assert await first.count() < 1_000 + 2 * 200
    assert len([call_id for call_id in await first.list_ids() if str(call_id).startswith("shown")]) == 479


async def test_text_without_end_is_refused_long_before_the_disk_is_full(
    open_place: Any, clock: FakeClock
) -> None:
    place = await open_place(Quotas(mib_a_minute=1))
    answers = []
    for turn in range(60):
        answers += await place.send(*(f"call.{turn}.{number}" for number in range(50)), reason="x" * 500)
    stored = is_refused(answers).count(False)
    assert MIB < stored * 560 < 1.2 * MIB
    clock.advance(60)
    assert await place.send("call.later") == [True]
    assert (await find_usage(place.portal.id)).text_bytes < 2 * MIB


async def test_a_call_has_so_many_legs_that_events_told_of(open_place: Any, clock: FakeClock) -> None:
    place = await open_place(Quotas())
    answers: list[bool | BaseException] = []
    for number in range(MOST_TOLD + 5):
        record = make_record(started_at=clock.now() + number)
        answers += await asyncio.gather(
            place.ingest.store(place.portal.id, TOKEN_HASH, record), return_exceptions=True
        )
    assert is_refused(answers) == [False] * MOST_TOLD + [True] * 5
    assert len(await read_legs(place.database, place.portal.id)) == MOST_TOLD
    assert await place.send("another") == [True]


async def test_rows_for_which_their_call_has_no_room_are_calls_of_their_own(
    open_place: Any, clock: FakeClock
) -> None:
    place = await open_place(Quotas())
    place.show(*range(1, MOST_SHOWN + 31), call_id="endless")
    place.show(MOST_SHOWN + 31)
    for _ in range(2):
        await place.read()
        legs = await read_legs(place.database, place.portal.id)
        assert sorted(leg["statistics_id"] for leg in legs) == [*range(1, MOST_SHOWN + 32)]
        assert sum(leg["call_id"] == "endless" for leg in legs) == MOST_SHOWN
        clock.advance(60)


async def test_what_was_stored_before_it_was_noted_is_counted(
    open_place: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await open_place(Quotas())
    place.show(*range(1, 120))
    await place.read()
    await place.room.write()
    noted = (await find_usage(place.portal.id)).size
    await database.run("DELETE FROM portal_usage")
    monkeypatch.setattr(usage_queries, "CALLS_A_PAGE", 10)
    monkeypatch.setattr(recount_module, "PAGES_A_TURN", 5)
    job = Recount(database, place.clock, {"people": count_nine})
    turns = 0
    while (await find_usage(place.portal.id)).counted_at == 0:
        await job.run_due()
        turns += 1
    found = await find_usage(place.portal.id)
    assert (found.size, found.people, turns) == (noted, 9, 3)


async def count_nine(_: int) -> int:
    return 9
