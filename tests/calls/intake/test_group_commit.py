"""Group commit: waiting requests share a commit, and no event hinders another."""

import asyncio

import pytest

from app.calls.intake.fast_insert import PostgresInserter
from app.calls.intake.group_commit import MAX_BATCH, Ingest, UnstorableError
from app.kit.messages.errors import Unavailable
from app.kit.storage.database import Database
from app.kit.text import original
from app.portals import queries
from app.portals.news import Changes
from tests.blocking import wait_until_blocked
from tests.calls.intake.held_inserter import HeldInserter, store_many
from tests.calls.stored_calls import STARTED_AT, TOKEN_HASH, insert_portal, make_record, read_calls, uninstall


@pytest.mark.quick
async def test_an_answer_comes_after_the_commit(
    ingest: Ingest, database: Database, database_url: str
) -> None:
    portal_id = await insert_portal()
    assert await ingest.store(portal_id, TOKEN_HASH, make_record())
    other = Database(database_url)
    await other.open()
    (call,) = await read_calls(other, portal_id)
    await other.close()
    assert call["call_id"] == "call.1"
    assert (call["phone_digits"], call["source"], call["started_at"]) == ("12025550123", "event", STARTED_AT)
    assert not call["is_start_guessed"]
    assert await read_calls(database, portal_id) == [call]


async def test_requests_that_wait_share_the_next_batch(ingest: Ingest, held: HeldInserter) -> None:
    portal_id = await insert_portal()
    first = store_many(ingest, portal_id, ["first"])
    await held.has_begun.wait()
    others = store_many(ingest, portal_id, [f"call.{i}" for i in range(MAX_BATCH + 1)])
    await asyncio.sleep(0)
    held.gate.set()
    assert all(await asyncio.gather(*first, *others))
    assert held.batches == [1, MAX_BATCH, 1]


@pytest.mark.quick
async def test_nothing_is_written_under_a_row_that_no_longer_agrees(
    ingest: Ingest, database: Database
) -> None:
    """The state alone refuses the event, and so does the token hash alone."""
    honest, gone, changed = [await insert_portal(letter * 32) for letter in "abc"]
    await queries.update_locked(gone, {"state": "uninstalled"})
    answers = await asyncio.gather(
        ingest.store(gone, TOKEN_HASH, make_record()),
        ingest.store(honest, TOKEN_HASH, make_record()),
        ingest.store(changed, "another-hash", make_record()),
        ingest.store(999_999, TOKEN_HASH, make_record()),
    )
    assert list(answers) == [False, True, False, False]
    assert [len(await read_calls(database, portal_id)) for portal_id in (honest, gone, changed)] == [1, 0, 0]


async def test_a_wrong_hash_in_the_same_batch_neither_stores_nor_hinders(
    ingest: Ingest, database: Database
) -> None:
    portal_id = await insert_portal()
    answers = await asyncio.gather(
        ingest.store(portal_id, "forged", make_record(phone_number="+12025550199")),
        ingest.store(portal_id, TOKEN_HASH, make_record()),
    )
    assert list(answers) == [False, True]
    (call,) = await read_calls(database, portal_id)
    assert call["phone_number"] == "+12025550123"


@pytest.mark.quick
@pytest.mark.parametrize("is_uninstalled_first", [True, False])
async def test_an_uninstall_and_a_batch_come_one_after_the_other(
    ingest: Ingest, database: Database, *, is_uninstalled_first: bool
) -> None:
    """The uninstall holds its row, not yet committed, when the batch begins."""
    portal_id = await insert_portal()
    if not is_uninstalled_first:
        assert await ingest.store(portal_id, TOKEN_HASH, make_record())
    async with database.transaction():
        await uninstall(portal_id)
        late = asyncio.create_task(ingest.store(portal_id, TOKEN_HASH, make_record("late")))
        await wait_until_blocked(database, late, "jsonb_array")
    assert await late is False
    assert [call["call_id"] for call in await read_calls(database, portal_id)] == (
        [] if is_uninstalled_first else ["call.1"]
    )


async def test_one_bad_event_fails_alone(ingest: Ingest, database: Database, held: HeldInserter) -> None:
    """The event has half a surrogate pair, which no driver takes."""
    portal_id = await insert_portal()
    good = store_many(ingest, portal_id, ["one", "two"])
    bad = asyncio.create_task(ingest.store(portal_id, TOKEN_HASH, make_record("bad", reason="\ud800")))
    good += store_many(ingest, portal_id, ["three"])
    held.gate.set()
    assert await asyncio.gather(*good) == [True, True, True]
    with pytest.raises(UnstorableError):
        await bad
    assert held.batches == [4, 1, 1, 1, 1]
    assert [call["call_id"] for call in await read_calls(database, portal_id)] == ["one", "three", "two"]


async def test_a_bad_event_of_a_known_call_fails_alone(ingest: Ingest, database: Database) -> None:
    portal_id = await insert_portal()
    assert await ingest.store(portal_id, TOKEN_HASH, make_record("known"))
    answers = await asyncio.gather(
        ingest.store(portal_id, TOKEN_HASH, make_record("known", started_at=1, reason="\ud800")),
        ingest.store(portal_id, TOKEN_HASH, make_record("known", started_at=2)),
        return_exceptions=True,
    )
    assert isinstance(answers[0], UnstorableError)
    assert answers[1] is True


async def test_new_and_known_calls_in_one_batch(ingest: Ingest, database: Database, changes: Changes) -> None:
    portal_id = await insert_portal()
    assert await ingest.store(portal_id, TOKEN_HASH, make_record("known"))
    async with changes.watch(portal_id) as watch:
        stores = store_many(ingest, portal_id, ["known", "new", "newer"])
        forged = asyncio.create_task(ingest.store(portal_id, "forged", make_record("forged")))
        assert await asyncio.gather(*stores) == [True, True, True]
        assert await forged is False
        await watch.wait()
    assert [call["call_id"] for call in await read_calls(database, portal_id)] == ["known", "new", "newer"]


@pytest.mark.quick
async def test_any_text_comes_back_as_it_came(ingest: Ingest, database: Database) -> None:
    portal_id = await insert_portal()
    reason = "NUL \x00, \x1a, emoji 📞, \u202eright to left, <b>HTML</b>, quotes '\"\\"
    assert await ingest.store(portal_id, TOKEN_HASH, make_record("id\x00", reason=reason))
    (call,) = await read_calls(database, portal_id)
    assert (original(call["call_id"]), original(call["reason"])) == ("id\x00", reason)
    assert await ingest.store(portal_id, TOKEN_HASH, make_record("id\x00", reason=reason))
    assert await read_calls(database, portal_id) == [call]


@pytest.mark.parametrize(
    ("number", "digits"),
    [("+1 (202) 555-0123", "12025550123"), ("101", "101"), ("7", None), ("hidden", None), (None, None)],
)
async def test_digits_for_the_search(
    ingest: Ingest, database: Database, number: str | None, digits: str | None
) -> None:
    portal_id = await insert_portal()
    await ingest.store(portal_id, TOKEN_HASH, make_record(phone_number=number))
    (call,) = await read_calls(database, portal_id)
    assert (call["phone_number"], call["phone_digits"]) == (number, digits)


async def test_unknown_facts_stay_unknown_and_a_start_is_guessed(ingest: Ingest, database: Database) -> None:
    portal_id = await insert_portal()
    nothing = {name: None for name in make_record().__struct_fields__ if name != "call_id"}
    await ingest.store(portal_id, TOKEN_HASH, make_record("sent", **nothing), 1_794_000_000)
    await ingest.store(portal_id, TOKEN_HASH, make_record("unsent", **nothing))
    sent, unsent = await read_calls(database, portal_id)
    assert (sent["started_at"], unsent["started_at"]) == (1_794_000_000, 1_795_000_000)
    assert sent["is_start_guessed"]
    assert {sent[name] for name in nothing if name != "started_at"} == {None}


async def test_stop_stores_what_waits_and_takes_no_more(
    ingest: Ingest, database: Database, held: HeldInserter
) -> None:
    portal_id = await insert_portal()
    waiting = store_many(ingest, portal_id, ["one", "two"])
    await held.has_begun.wait()
    waiting += store_many(ingest, portal_id, ["three"])
    await asyncio.sleep(0)
    stopping = asyncio.create_task(ingest.stop())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await ingest.store(portal_id, TOKEN_HASH, make_record("late"))
    held.gate.set()
    await stopping
    assert all(await asyncio.gather(*waiting))
    assert len(await read_calls(database, portal_id)) == 3


async def test_a_cancelled_request_takes_nothing_with_it(
    ingest: Ingest, database: Database, held: HeldInserter
) -> None:
    portal_id = await insert_portal()
    cancelled, *others = store_many(ingest, portal_id, ["cancelled", "one", "two"])
    await held.has_begun.wait()
    cancelled.cancel()
    held.gate.set()
    assert all(await asyncio.gather(*others))
    assert cancelled.cancelled()
    assert len(await read_calls(database, portal_id)) == 3


async def test_an_announcement_follows_what_is_stored_only(ingest: Ingest, changes: Changes) -> None:
    portal_id = await insert_portal()
    async with changes.watch(portal_id) as watch, changes.watch(portal_id + 1) as other:
        await ingest.store(portal_id, TOKEN_HASH, make_record())
        await watch.wait()
        await ingest.store(portal_id, "forged", make_record("other"))
        assert not watch.has_news
        assert not other.has_news


@pytest.mark.quick
async def test_what_is_acknowledged_is_on_the_disk(ingest: Ingest, database: Database) -> None:
    """Read the settings of the connections that write, while they live."""
    portal_id = await insert_portal()
    await ingest.store(portal_id, TOKEN_HASH, make_record())
    assert await ingest.can_store()  # The connection is free by now.
    if database.is_sqlite:
        (row,) = await database.run("PRAGMA synchronous")
        assert row == {"synchronous": 2}
        (row,) = await database.run("PRAGMA journal_mode")
        assert row == {"journal_mode": "wal"}
        return
    inserter = ingest.inserter
    assert isinstance(inserter, PostgresInserter)
    assert inserter.connection is not None
    assert await inserter.connection.fetchval("SHOW synchronous_commit") == "on"
    assert await inserter.connection.fetchval("SHOW fsync") == "on"


async def test_a_checkpoint_empties_the_log(ingest: Ingest, database: Database) -> None:
    portal_id = await insert_portal()
    await ingest.store(portal_id, TOKEN_HASH, make_record())
    await ingest.checkpoint()
    if database.is_sqlite:
        (row,) = await database.run("PRAGMA wal_checkpoint(PASSIVE)")
        assert row["log"] == row["checkpointed"]
