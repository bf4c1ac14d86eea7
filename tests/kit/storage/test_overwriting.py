"""Overwriting on PostgreSQL, where it may have to wait for others."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.kit.storage import postgres_engine
from app.kit.storage.database import Database
from app.tables import TABLES
from tests.blocking import wait_until_blocked


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    opened = Database(postgres_url, TABLES)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that prevents the vacuum of the table of calls until its transaction ends."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("BEGIN")
    await connection.execute("LOCK TABLE calls IN SHARE UPDATE EXCLUSIVE MODE")
    yield connection
    await connection.close()


async def test_overwritings_do_not_pile_up(database: Database, other: asyncpg.Connection) -> None:
    """One overwriting waits, on a connection of its own; later ones stay due and hold nothing."""
    engine = database.engine
    assert isinstance(engine, postgres_engine.PooledPostgresEngine)
    assert engine.pool is not None
    first = asyncio.create_task(database.overwrite_deleted())
    await wait_until_blocked(database, first, "VACUUM")
    later = [database.overwrite_deleted() for _ in range(postgres_engine.POOL_SIZE)]
    assert await asyncio.gather(*later) == [False] * postgres_engine.POOL_SIZE
    assert engine.pool.get_idle_size() == engine.pool.get_size()
    await other.execute("ROLLBACK")
    assert await first is True
    assert await database.overwrite_deleted() is True


async def test_a_table_that_stays_locked_puts_it_off(
    database: Database, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_engine, "VACUUM_LOCK_TIMEOUT_S", 0.01)
    assert await database.overwrite_deleted() is False
    await other.execute("ROLLBACK")
    assert await database.overwrite_deleted() is True
