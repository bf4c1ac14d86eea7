"""One writer at a time on SQLite: an event waits for few others, and long work writes half of the time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

import pytest

from app.kit.fairness.lanes import Lane, find_lane, use_background, use_lane, use_no_lane
from app.kit.storage.database import Database
from app.kit.storage.light_commits import commit_lightly, is_light
from app.kit.storage.sqlite_engine import KeptSQLiteEngine
from app.portals.fact_queries import write_fact
from app.tables import TABLES

PORTALS = 20
Lanes = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    opened = Database(sqlite_url, TABLES)
    await opened.open()
    yield opened
    await opened.close()


def use_user(portal_id: int) -> AbstractContextManager[None]:
    return use_lane(Lane(portal_id))


def use_lasting(portal_id: int) -> AbstractContextManager[None]:
    return use_lane(Lane(portal_id, is_background=True, lasts_from=0))


class Line:
    """Writers that all come during another's write, and the order of their writes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.order: list[str] = []

    async def write(self, name: str, lane: AbstractContextManager[None]) -> None:
        with lane:
            await write_fact(name, "value", 1)
        self.order.append(name)

    async def let_write(self, *writers: tuple[str, AbstractContextManager[None]]) -> list[str]:
        """The names in the order in which their facts were written."""
        async with self.database.transaction():
            tasks = []
            with use_no_lane():
                for name, lane in writers:
                    tasks.append(asyncio.create_task(write_outside(self, name, lane)))
                    await asyncio.sleep(0)  # Each asks for its turn before the next one does.
        await asyncio.gather(*tasks)
        return self.order


async def write_outside(line: Line, name: str, lane: AbstractContextManager[None]) -> None:
    line.database.engine.current_transaction.set(None)  # It is no part of the test's own transaction.
    await line.write(name, lane)


async def test_an_event_waits_for_one_write_of_each_kind(database: Database) -> None:
    kinds: tuple[Lanes, ...] = (use_user, use_background, use_lasting)
    others = [(f"{lane.__name__} {portal}", lane(portal)) for portal in range(1, PORTALS) for lane in kinds]
    order = await Line(database).let_write(*others, ("event", use_no_lane()))
    assert len(order) == len(others) + 1
    assert order.index("event") <= len(kinds)


@pytest.mark.parametrize("lane", [use_user, use_background])
async def test_a_portal_waits_for_no_queue_of_work_that_lasts(database: Database, lane: Lanes) -> None:
    lasting = [(f"lasting {portal}", use_lasting(portal)) for portal in range(1, PORTALS)]
    order = await Line(database).let_write(*lasting, ("honest", lane(PORTALS)))
    assert order.index("honest") <= 1


async def test_portals_write_in_turns_however_much_one_wants(database: Database) -> None:
    many = [(f"many {number}", use_background(1)) for number in range(PORTALS)]
    order = await Line(database).let_write(*many, ("honest", use_background(2)))
    assert order.index("honest") <= 2


async def test_work_that_lasts_rests_as_long_as_it_wrote(database: Database) -> None:
    """Its place is free only after this rest, so other writers that come in the meantime go first."""
    line, engine = Line(database), database.engine
    assert isinstance(engine, KeptSQLiteEngine)
    with use_lasting(1):
        async with database.transaction():
            await write_fact("first", "value", 1)
    assert engine.write_turns._lasting.places.count == 1  # noqa: SLF001  Nothing else shows that it rests.
    await asyncio.gather(line.write("lasting", use_lasting(2)), line.write("short", use_background(3)))
    assert line.order == ["short", "lasting"]


async def test_only_what_nobody_was_told_of_does_not_wait_for_the_disk(database: Database) -> None:
    """The next commit waits for it, in the same task as in any other."""

    async def read_level() -> object:
        return (await database.run("PRAGMA synchronous"))[0]["synchronous"]

    async def expect_full() -> None:
        async with database.transaction():
            assert await read_level() == 2
        assert not is_light()

    await expect_full()
    with use_user(1):
        lane = find_lane()
        async with database.patient_transaction():
            assert await read_level() == 1
        assert find_lane() is lane
        await expect_full()
    with commit_lightly():
        async with database.transaction():
            assert await read_level() == 1
        await write_fact("light", "value", 1)
    await expect_full()
    with commit_lightly():
        await write_fact("light again", "value", 1)
    await write_fact("full", "value", 1)
    engine = database.engine
    assert isinstance(engine, KeptSQLiteEngine)
    assert engine.writer is not None
    assert list(await engine.writer.execute_fetchall("PRAGMA synchronous")) == [{"synchronous": 2}]
