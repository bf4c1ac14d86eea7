"""An open database of each kind, and ingest running on it."""

from collections.abc import AsyncIterator

import pytest

from app.calls.intake.group_commit import Ingest
from app.kit.storage.database import Database
from app.portals.news import Changes
from app.tables import TABLES
from tests.running import FakeClock


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, TABLES)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def changes(database: Database) -> Changes:
    """Changes that do not listen: only this process hears of them."""
    return Changes(database)


@pytest.fixture
async def ingest(database: Database, clock: FakeClock, changes: Changes) -> AsyncIterator[Ingest]:
    ingest = Ingest(database, clock, changes)
    await ingest.start()
    yield ingest
    await ingest.stop()
