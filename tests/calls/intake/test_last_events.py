"""The time of a portal's last event is noted beside the batches, and never holds one up."""

import asyncpg

from app.calls.intake.group_commit import Ingest
from app.calls.intake.last_events import LastEvents
from app.kit.storage.database import Database
from tests.calls.stored_calls import TOKEN_HASH, insert_portal, make_record
from tests.running import FakeClock


async def test_the_last_event_is_noted_at_most_every_ten_seconds(
    database: Database, clock: FakeClock
) -> None:
    portal_id = await insert_portal()
    last_events = LastEvents(database, clock, database.run)
    began_at, noted = clock.now(), []
    for seconds in (0, 9, 1, 5):
        clock.advance(seconds)
        last_events.note({portal_id})
        await last_events.flush_if_due()
        noted.append(await read_last_event(database))
    await last_events.flush()
    noted.append(await read_last_event(database))
    assert noted == [began_at, began_at, began_at + 10, began_at + 10, began_at + 15]


async def test_stop_notes_the_last_event(ingest: Ingest, database: Database, clock: FakeClock) -> None:
    portal_id = await insert_portal()
    await ingest.store(portal_id, TOKEN_HASH, make_record("one"))
    clock.advance(1)
    await ingest.store(portal_id, TOKEN_HASH, make_record("two"))
    await ingest.stop()
    assert await read_last_event(database) == clock.now()


async def test_a_portal_whose_row_is_held_is_not_waited_for(database: Database, clock: FakeClock) -> None:
    if database.is_sqlite:
        return
    portal_id = await insert_portal()
    last_events = LastEvents(database, clock, database.run)
    last_events.note({portal_id})
    other = await asyncpg.connect(database.url)
    async with other.transaction():
        await other.execute("SELECT 1 FROM portals FOR SHARE")
        await last_events.flush()
    await other.close()
    assert await read_last_event(database) is None


async def read_last_event(database: Database) -> object:
    (row,) = await database.run("SELECT last_event_at FROM portals")
    return row["last_event_at"]
