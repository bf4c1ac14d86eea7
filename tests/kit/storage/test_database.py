import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.kit.storage.database import DATABASE_ERRORS, Database
from app.kit.storage.sqlite_engine import KeptSQLiteEngine
from app.portals.fact_queries import read_fact, write_fact, write_fact_once
from app.tables import TABLES


class Broken(Exception):
    pass


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, TABLES)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction():
            await write_fact("name", "value", 1)
            assert await read_fact("name") == "value"
            raise Broken

    with pytest.raises(Broken):
        await fail()
    assert await read_fact("name") is None
    await write_fact("name", "later", 2)
    assert await read_fact("name") == "later"


async def test_nobody_sees_what_is_not_committed(database: Database) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with database.transaction():
            await write_fact("name", "value", 1)
            begun.set()
            await go.wait()

    writing = asyncio.create_task(write())
    await begun.wait()
    assert await read_fact("name") is None
    go.set()
    await writing
    assert await read_fact("name") == "value"


async def test_an_inner_transaction_is_part_of_the_outer_one(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction():
            async with database.transaction():
                await write_fact("name", "value", 1)
            raise Broken

    with pytest.raises(Broken):
        await fail()
    assert await read_fact("name") is None


async def test_a_cancelled_transaction_leaves_nothing_and_frees_its_connection(database: Database) -> None:
    for _ in range(12):  # More often than there are connections.
        begun = asyncio.Event()

        async def write(begun: asyncio.Event = begun) -> None:
            async with database.transaction():
                await write_fact("name", "value", 1)
                begun.set()
                await asyncio.Event().wait()

        writing = asyncio.create_task(write())
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    assert await read_fact("name") is None
    await write_fact("name", "later", 1)


@pytest.mark.parametrize("steps", range(8))
async def test_cancelled_at_any_step_the_next_transaction_still_works(database: Database, steps: int) -> None:
    """Above all at BEGIN: the thread of SQLite's writer begins a transaction although no task waits for it
    any more.
    """

    async def write() -> None:
        async with database.transaction():
            await write_fact("name", "cancelled", 1)

    writing = asyncio.create_task(write())
    for _ in range(steps):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    async with database.transaction():
        await write_fact("name", "next", 2)
    assert await read_fact("name") == "next"


async def test_many_writers_and_readers_at_once_lose_nothing(database: Database) -> None:
    async def count_up() -> None:
        for _ in range(5):
            async with database.transaction():
                is_locked = not database.is_sqlite
                rows = await database.run(
                    "SELECT value FROM facts WHERE name = 'counter'" + (" FOR UPDATE" if is_locked else "")
                )
                await write_fact("counter", str(int(str(rows[0]["value"])) + 1), 1)
            assert await read_fact("counter") is not None

    await write_fact("counter", "0", 1)
    await asyncio.gather(*(count_up() for _ in range(20)))
    assert await read_fact("counter") == "100"


async def test_two_processes_write_one_after_the_other(database: Database, database_url: str) -> None:
    """A second Database shares only the file or the server with the first."""
    second = Database(database_url)
    await second.open()
    try:

        async def add(target: Database, number: int) -> None:
            async with target.transaction():
                await target.run(f"INSERT INTO facts (name, value, at) VALUES ('n{number}', '', 0)")

        await asyncio.gather(*(add((database, second)[number % 2], number) for number in range(40)))
    finally:
        await second.close()
    assert (await database.run("SELECT COUNT(*) AS n FROM facts WHERE name LIKE 'n%'"))[0]["n"] == 40


async def test_a_commit_survives_a_power_cut(database: Database) -> None:
    """Read the settings of the connections that write."""
    if database.is_sqlite:
        for pragma, expected in (("synchronous", 2), ("secure_delete", 1), ("journal_mode", "wal")):
            assert list((await database.run(f"PRAGMA {pragma}"))[0].values()) == [expected]
        async with database.transaction():
            assert (await database.run("PRAGMA synchronous"))[0]["synchronous"] == 2
    else:
        assert (await database.run("SHOW synchronous_commit"))[0]["synchronous_commit"] == "on"
        async with database.transaction():
            assert (await database.run("SHOW synchronous_commit"))[0]["synchronous_commit"] == "on"
        assert (await database.run("SHOW fsync"))[0]["fsync"] == "on"


async def test_sqlites_readers_cannot_write(sqlite_url: str) -> None:
    database = Database(sqlite_url, TABLES)
    await database.open()
    try:
        engine = database.engine
        assert isinstance(engine, KeptSQLiteEngine)
        reader = await engine.readers.get()
        with pytest.raises(DATABASE_ERRORS, match="readonly"):
            await reader.execute("DELETE FROM facts")
        engine.readers.put_nowait(reader)
    finally:
        await database.close()


async def test_a_reader_outside_puts_the_overwriting_off_and_nobody_waits_for_it(sqlite_url: str) -> None:
    """For example a backup, or the vendor's own look at the file."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    database = Database(sqlite_url, TABLES)
    await database.open()
    reader = sqlite3.connect(path)
    try:
        await write_fact("name", "to be erased", 1)
        reader.execute("BEGIN")
        assert reader.execute("SELECT value FROM facts WHERE name = 'name'").fetchall() == [("to be erased",)]
        await database.run("DELETE FROM facts WHERE name = 'name'")
        assert await database.overwrite_deleted() is False
        await write_fact("name", "somebody writes meanwhile", 2)
        reader.rollback()
        assert await database.overwrite_deleted() is True
        for file in (path, path.with_name(path.name + "-wal")):
            assert b"to be erased" not in file.read_bytes()
    finally:
        reader.close()
        await database.close()


async def test_overwriting_is_done_when_nobody_reads(database: Database) -> None:
    await write_fact("name", "value", 1)
    assert await database.overwrite_deleted() is True


async def test_a_closed_database_says_so(database_url: str) -> None:
    database = Database(database_url, TABLES)
    for refused in (database.run("SELECT 1"), database.overwrite_deleted()):
        with pytest.raises(DATABASE_ERRORS):
            await refused
    with pytest.raises(DATABASE_ERRORS):
        async with database.transaction():
            pass


async def test_names_are_written_once(database: Database) -> None:
    await asyncio.gather(*(write_fact_once("once", str(number), 1) for number in range(10)))
    first = await read_fact("once")
    await write_fact_once("once", "later", 2)
    assert await read_fact("once") == first


async def test_work_that_is_waited_for_has_its_turn_after_one_step_of_other_work(sqlite_url: str) -> None:
    database = Database(sqlite_url, TABLES)
    await database.open()
    order: list[str] = []
    begun = asyncio.Event()

    async def step(number: int) -> None:
        async with database.patient_transaction():
            begun.set()
            await write_fact(f"step {number}", "written", number)
            order.append("step")

    steps = [asyncio.create_task(step(number)) for number in range(10)]
    await begun.wait()
    async with database.transaction():
        order.append("event")
    await asyncio.gather(*steps)
    await database.close()
    assert order.index("event") <= 2
    assert order.count("step") == 10


async def test_a_patient_transaction_within_another_is_part_of_it(database: Database) -> None:
    async with database.patient_transaction(), database.transaction(), database.patient_transaction():
        await write_fact("name", "value", 1)
    assert await read_fact("name") == "value"
