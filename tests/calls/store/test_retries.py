"""A transaction that met another process's is repeated, for both writers of calls."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from app.calls.intake.group_commit import Ingest
from app.kit.storage.database import Database
from app.portals.news import Changes
from app.tables import TABLES
from tests.calls.store.one_row import write_row
from tests.calls.stored_calls import STARTED_AT, TOKEN_HASH, insert_portal, make_record, read_legs

Write = Callable[[int], Awaitable[object]]
TROUBLE = {
    "another process changed the row": "RAISE EXCEPTION 'met' USING ERRCODE = 'serialization_failure'",
    "two processes waited for each other": "RAISE EXCEPTION 'met' USING ERRCODE = 'deadlock_detected'",
    "another process inserted the row": "RETURN NULL",
}


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """PostgreSQL only: on SQLite one process writes at a time, and none of this happens."""
    database = Database(postgres_url, TABLES)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(params=["event", "statistics"])
def write(request: pytest.FixtureRequest, database: Database, changes: Changes, ingest: Ingest) -> Write:
    """A function that writes a leg of the portal's `call.1` in a transaction that reads before it writes."""

    async def tell_again(portal_id: int) -> None:
        await ingest.store(portal_id, TOKEN_HASH, make_record(started_at=STARTED_AT + 40))

    async def read_row(portal_id: int) -> None:
        await write_row(database, changes, portal_id)

    return tell_again if request.param == "event" else read_row


async def make_trouble(database: Database, trouble: str, times: int) -> None:
    """Let legs meet this trouble so many times; a sequence counts on after a rollback."""
    await database.run("CREATE SEQUENCE met")
    await database.run(
        "CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF nextval('met') <= {times} THEN {TROUBLE[trouble]}; END IF; RETURN NEW; END $$"
    )
    await database.run(
        "CREATE TRIGGER meeting BEFORE INSERT ON call_legs FOR EACH ROW EXECUTE FUNCTION meet()"
    )


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_it_is_done_again(database: Database, ingest: Ingest, write: Write, trouble: str) -> None:
    portal_id = await insert_portal()
    await ingest.store(portal_id, TOKEN_HASH, make_record())
    await make_trouble(database, trouble, 2)
    await write(portal_id)
    assert len(await read_legs(database, portal_id)) == 2


async def test_it_is_done_three_times_and_no_more(
    database: Database, ingest: Ingest, changes: Changes
) -> None:
    portal_id = await insert_portal()
    await make_trouble(database, "another process changed the row", 3)
    with pytest.raises(asyncpg.SerializationError):
        await write_row(database, changes, portal_id)
    assert await read_legs(database, portal_id) == []
    await write_row(database, changes, portal_id)
    assert len(await read_legs(database, portal_id)) == 1
