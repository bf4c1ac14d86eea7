"""The background reads for one portal hold up no other portal's reads, and end if they take too long."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.kit.fairness.lanes import Lane, name_lane, use_background, use_lane
from app.kit.fairness.query_turns import QueryTooSlowError
from app.kit.storage.database import Database
from app.portals import queries
from app.tables import TABLES
from tests.patience import PATIENCE_S

ENDLESS = "SELECT (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT COUNT(*) FROM c)"
TIMES = 16  # More often than there are connections.
NOBODY = 7


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, TABLES)
    await opened.open()
    yield opened
    await opened.close()


async def read(database: Database, portal_id: int | None, sql: str = "SELECT 1") -> None:
    with use_background(portal_id):
        await database.run(sql)


async def test_one_portals_long_reads_hold_no_other_portals_and_not_its_own_row(database: Database) -> None:
    database.engine.turns.background_limit_s = 3600
    long = [asyncio.create_task(read(database, 1, ENDLESS)) for _ in range(TIMES)]
    async with asyncio.timeout(PATIENCE_S):
        for portal_id in (2, 3, None) * TIMES:
            await read(database, portal_id)
        with use_background(1):
            assert await queries.get_portal(NOBODY) is None
            assert await queries.read_row(NOBODY) is None
    assert not any(task.done() for task in long)
    for task in long:
        task.cancel()
    await asyncio.gather(*long, return_exceptions=True)


async def test_a_read_for_one_portal_is_given_up_in_time(database: Database) -> None:
    database.engine.turns.background_limit_s = 0.05
    long = [read(database, portal_id, ENDLESS) for portal_id in range(1, TIMES)]
    ended = await asyncio.gather(*long, return_exceptions=True)
    assert {type(error) for error in ended} == {QueryTooSlowError}
    await read(database, 1)


async def test_work_that_a_request_leaves_behind_has_the_turns_of_its_portal(database: Database) -> None:
    database.engine.turns.background_limit_s = 0.05
    with use_lane(Lane()):
        name_lane(1, 2)
        with pytest.raises(QueryTooSlowError):
            await read(database, None, ENDLESS)


async def test_nobody_waits_for_a_connection_when_the_process_ends(database: Database) -> None:
    turns = database.engine.turns
    turns.limit_s = 3600

    async def search() -> None:
        with use_lane(Lane()):
            name_lane(1, 2)
            await database.run(ENDLESS)

    long = [asyncio.create_task(search()) for _ in range(TIMES)]
    await asyncio.sleep(0)
    turns.stop()
    ended, under_way = await asyncio.wait(long, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert {type(task.exception()) for task in ended} == {TimeoutError}
    with pytest.raises(TimeoutError):
        await search()
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    assert len(ended) + len(under_way) == TIMES
