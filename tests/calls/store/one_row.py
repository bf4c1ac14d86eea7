"""A row of the statistics that is written to the portal's `call.1`, for tests of two writers at once."""

from app.bitrix24.incoming.statistics import decode_statistics_row
from app.calls.space.destination import Destination
from app.calls.space.room import Room
from app.calls.statistics.fetch.merge import write_rows
from app.kit.storage.database import Database
from app.portals.news import Changes
from tests.calls.stored_calls import STARTED_AT
from tests.running import FakeClock

ROW = {"ID": "1", "CALL_ID": "call.1", "CALL_START_DATE": "2026-11-23T10:00:00+01:00"}


async def write_row(database: Database, changes: Changes, portal_id: int) -> None:
    """Write the row as a read of this portal's statistics does."""
    destination = Destination(
        database=database,
        changes=changes,
        portal_id=portal_id,
        generation=1,
        room=Room(database, FakeClock()),
    )
    await write_rows(destination, [decode_statistics_row(ROW)], STARTED_AT)
