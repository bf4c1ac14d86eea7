"""Two processes insert the same new call at the same moment: the second adds its leg to the first's."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.calls.intake.arrivals import arrival_of, meet_arrivals
from app.kit.storage.database import Database
from app.portals.news import Changes
from app.tables import TABLES
from tests.blocking import begin_apart, wait_until_blocked
from tests.calls.store.one_row import write_row
from tests.calls.stored_calls import (
    STARTED_AT,
    TOKEN_HASH,
    insert_portal,
    make_record,
    read_calls,
    read_legs,
)

Write = Callable[[int], Awaitable[object]]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """PostgreSQL only: on SQLite one process writes at a time."""
    database = Database(postgres_url, TABLES)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(params=["event", "statistics"])
def write(request: pytest.FixtureRequest, database: Database, changes: Changes) -> Write:
    """A function that writes a leg of the portal's `call.1`, which it has found to be new."""

    async def meet_event(portal_id: int) -> None:
        arrival = arrival_of(portal_id, TOKEN_HASH, make_record(started_at=STARTED_AT + 40), STARTED_AT, None)
        await meet_arrivals(database, changes, lambda *_: None, [arrival])

    async def read_row(portal_id: int) -> None:
        await write_row(database, changes, portal_id)

    return meet_event if request.param == "event" else read_row


async def insert_call(database: Database, portal_id: int) -> None:
    """As another process does it, with one leg."""
    columns = "portal_id, call_id, started_at, received_at"
    values = f"{portal_id}, 'call.1', {STARTED_AT}, {STARTED_AT}"
    await database.run(f"INSERT INTO calls ({columns}, source) VALUES ({values}, 'event')")
    await database.run(f"INSERT INTO call_legs ({columns}) VALUES ({values})")


async def test_a_call_that_another_process_inserts_meanwhile_gets_both_legs(
    database: Database, write: Write
) -> None:
    portal_id = await insert_portal()

    async def write_apart() -> None:
        await write(portal_id)

    async with database.transaction():
        await insert_call(database, portal_id)
        writing = begin_apart(write_apart())
        await wait_until_blocked(database, writing, "INSERT INTO calls")
    await writing
    (call,) = await read_calls(database, portal_id)
    assert call["is_confirmed"] or call["started_at"] == STARTED_AT + 40  # It shows the second leg.
    assert len(await read_legs(database, portal_id)) == 2
