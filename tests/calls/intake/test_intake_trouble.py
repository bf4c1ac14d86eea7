"""If events cannot be stored, each request is answered so, and the next batch is tried."""

import asyncio
import contextlib

import asyncpg
import pytest

from app.calls.intake import group_commit as ingest_module
from app.calls.intake.fast_insert import PostgresInserter
from app.calls.intake.group_commit import Ingest
from app.kit.messages.errors import Unavailable
from app.kit.storage.database import Database, is_away
from tests.calls.intake.held_inserter import HeldInserter, store_many
from tests.calls.stored_calls import TOKEN_HASH, insert_portal, make_record
from tests.running import FakeClock


async def test_a_database_that_is_away_answers_503_and_the_next_batch_is_stored(
    ingest: Ingest, held: HeldInserter
) -> None:
    portal_id = await insert_portal()
    held.errors.append(ConnectionResetError())
    held.gate.set()
    answers = await asyncio.gather(
        *store_many(ingest, portal_id, ["one", "two", "three"]), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert held.batches == [3], "a database that is away is not asked for each event"
    assert await ingest.store(portal_id, TOKEN_HASH, make_record("one"))


async def test_a_lost_connection_is_replaced(ingest: Ingest, database: Database) -> None:
    if database.is_sqlite:
        return
    portal_id = await insert_portal()
    assert await ingest.store(portal_id, TOKEN_HASH, make_record("before"))
    inserter = ingest.inserter
    assert isinstance(inserter, PostgresInserter)
    assert inserter.connection is not None
    ended = asyncio.Event()
    inserter.connection.add_termination_listener(lambda _: ended.set())
    await database.run("SELECT pg_terminate_backend($1)", inserter.connection.get_server_pid())
    await ended.wait()
    assert await ingest.store(portal_id, TOKEN_HASH, make_record("after"))


async def test_too_many_waiting_are_turned_away(
    ingest: Ingest, held: HeldInserter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "MAX_WAITING", 2)
    portal_id = await insert_portal()
    first = store_many(ingest, portal_id, ["first"])
    await held.has_begun.wait()
    waiting = store_many(ingest, portal_id, ["one", "two"])
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await ingest.store(portal_id, TOKEN_HASH, make_record("three"))
    held.gate.set()
    assert all(await asyncio.gather(*first, *waiting))


async def test_whether_events_can_be_stored_is_tried_in_their_turn_and_at_most_every_two_seconds(
    ingest: Ingest, held: HeldInserter, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal_id = await insert_portal()
    first = store_many(ingest, portal_id, ["first"])
    await held.has_begun.wait()
    asked = [asyncio.create_task(ingest.can_store()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in asked)
    held.gate.set()
    assert await asyncio.gather(*asked) == [True] * 3
    assert all(await asyncio.gather(*first))

    async def fail(sql: str, *values: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(held, "execute", fail)
    assert await ingest.can_store()
    clock.advance(2)
    assert not await ingest.can_store()
    monkeypatch.undo()
    assert not await ingest.can_store()
    clock.advance(2)
    assert await ingest.can_store()


async def test_an_ingest_that_ended_refuses_and_says_so(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop itself fails by a fault of ours: no request may wait for an answer that never comes."""

    async def fail() -> None:
        raise AssertionError("a fault")

    portal_id = await insert_portal()
    monkeypatch.setattr("app.calls.intake.last_events.LastEvents.flush_if_due", lambda _: fail())
    assert await ingest.store(portal_id, TOKEN_HASH, make_record("one"))
    assert not await ingest.can_store()
    with pytest.raises(Unavailable):
        await ingest.store(portal_id, TOKEN_HASH, make_record("two"))
    monkeypatch.undo()
    with pytest.raises(AssertionError):
        await ingest.stop()


async def test_a_busy_pool_keeps_no_event_out(ingest: Ingest, database: Database, clock: FakeClock) -> None:
    if database.is_sqlite:
        return
    portal_id = await insert_portal()
    pool = database.engine.pool  # type: ignore[union-attr]
    assert pool is not None
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        for number in range(2):
            assert await ingest.store(portal_id, TOKEN_HASH, make_record(f"call.{number}"))
            clock.advance(60)
        assert await ingest.can_store()
    await ingest.stop()


def test_what_blames_the_database() -> None:
    assert is_away(asyncpg.ConnectionDoesNotExistError("x"))
    assert is_away(asyncpg.InterfaceError("x"))
    assert is_away(asyncpg.InternalClientError("x"))
    assert not is_away(asyncpg.CharacterNotInRepertoireError("x"))
