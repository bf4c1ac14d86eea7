"""News of a portal reaches this process at once, others through the database, and none is lost."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.calls.intake.group_commit import Ingest
from app.kit.storage.database import Database
from app.kit.storage.light_commits import commit_lightly
from app.portals.fact_queries import write_fact
from app.portals.news import Changes, Watch
from app.portals.news_queries import ALL, CHANNEL
from tests.calls.stored_calls import TOKEN_HASH, insert_portal, make_record
from tests.running import FakeClock


@pytest.fixture
async def listener(database_url: str) -> AsyncIterator[Changes]:
    """The Changes of another process: its own connections, and no table bound to them."""
    database = Database(database_url)
    await database.open()
    changes = Changes(database)
    await changes.start()
    await changes.listening.wait()
    yield changes
    await changes.stop()
    await database.close()


async def test_a_watcher_hears_of_its_own_portal_only(changes: Changes) -> None:
    async with changes.watch(1) as watch, changes.watch(1) as second, changes.watch(2) as other:
        changes.announce(1)
        await watch.wait()
        await second.wait()
        assert not watch.has_news
        assert not other.has_news
    changes.announce(1)


async def test_news_between_two_waits_is_not_lost(changes: Changes) -> None:
    async with changes.watch(1) as watch:
        changes.announce(1)
        changes.announce(1)
        await watch.wait()
        assert not watch.has_news
        changes.announce(1)
        assert watch.has_news


async def test_another_process_hears_of_an_event(
    database: Database, ingest: Ingest, listener: Changes
) -> None:
    portal_id = await insert_portal()
    async with listener.watch(portal_id) as watch:
        await ingest.store(portal_id, TOKEN_HASH, make_record())
        await hear(listener, watch)
        await ingest.store(portal_id, TOKEN_HASH, make_record(started_at=1))
        await hear(listener, watch)


async def hear(listener: Changes, watch: Watch) -> None:
    """Wait for news; on SQLite take the look that else comes each second."""
    if listener.is_polling:
        await listener.check_file()
    await watch.wait()


async def test_a_process_is_not_told_by_the_database_what_it_knows(
    database: Database, clock: FakeClock
) -> None:
    if database.is_sqlite:
        return
    changes = Changes(database)
    await changes.start()
    await changes.listening.wait()
    ingest = Ingest(database, clock, changes)
    await ingest.start()
    portal_id = await insert_portal()
    async with changes.watch(portal_id) as watch, changes.watch(portal_id + 1) as other:
        await ingest.store(portal_id, TOKEN_HASH, make_record())
        await watch.wait()
        await database.run("SELECT pg_notify($1, $2)", CHANNEL, f"other:{portal_id + 1}")
        await other.wait()
        assert not watch.has_news
    await ingest.stop()
    await changes.stop()


async def test_too_many_portals_to_name_wake_everybody(database: Database, listener: Changes) -> None:
    if database.is_sqlite:
        return
    async with listener.watch(1) as first, listener.watch(2) as second:
        await database.run("SELECT pg_notify($1, $2)", CHANNEL, f"other:{ALL}")
        await first.wait()
        await second.wait()


async def test_after_a_lost_connection_everybody_wakes(
    database: Database, listener: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.is_sqlite:
        return
    monkeypatch.setattr("app.portals.news.FIRST_BACK_OFF_S", 0)
    async with listener.watch(1) as watch:
        listener.listening.clear()
        await database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            " AND datname = current_database()"
        )
        await watch.wait()
        assert listener.listening.is_set()


async def test_a_database_that_is_away_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.is_sqlite:
        return
    monkeypatch.setattr("app.portals.news.FIRST_BACK_OFF_S", 0)
    real, refused = asyncpg.connect, asyncio.Event()

    async def connect(*args: object, **options: object) -> object:
        if not refused.is_set():
            refused.set()
            raise ConnectionRefusedError
        return await real(*args, **options)

    monkeypatch.setattr(asyncpg, "connect", connect)
    changes = Changes(database)
    await changes.start()
    await changes.listening.wait()
    assert refused.is_set()
    await changes.stop()


async def test_what_this_process_writes_is_no_news_of_another(database: Database) -> None:
    if not database.is_sqlite:
        return
    changes = Changes(database)
    await changes.check_file()
    async with changes.watch(1) as watch:
        await insert_portal()
        with commit_lightly():
            await write_fact("light", "value", 1)
        await changes.check_file()
        assert not watch.has_news
