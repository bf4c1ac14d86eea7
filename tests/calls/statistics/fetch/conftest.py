"""A read of one portal's statistics."""

import pytest

from app.kit.storage.database import Database
from app.portals import queries
from app.portals.news import Changes
from tests.calls.statistics.fetch.fake_statistics import Reading
from tests.calls.stored_calls import insert_portal
from tests.running import FakeClock


@pytest.fixture
async def reading(database: Database, clock: FakeClock, changes: Changes) -> Reading:
    portal = await queries.get_portal(await insert_portal())
    assert portal is not None
    return Reading(database, clock, changes, portal)
