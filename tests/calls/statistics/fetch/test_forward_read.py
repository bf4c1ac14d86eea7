"""The statistics are read forward to their end, and the next read begins at the right place."""

import asyncio
from collections.abc import Mapping

import pytest

from app.bitrix24.rest.portal_client import BatchAnswer, Command
from app.calls.intake.group_commit import Ingest
from app.calls.statistics.forward_read import SyncResult
from app.portals import queries
from app.portals.model import Portal
from app.portals.outbound.access import PortalNotConnectedError
from tests.calls.statistics.fetch.fake_statistics import HOUR, FakeAccess, Reading
from tests.calls.stored_calls import TOKEN_HASH, make_record, uninstall


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
    assert (await reading.read(FakeAccess(*rows))).rows == 501  # A full read, because a day has passed.
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


async def test_an_event_that_gives_an_old_call_another_date_makes_no_read_longer(
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
        assert watch.has_news  # The news tells of "complete up to" each time.
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
