"""The schema that the migrations make, compared with the tables that the queries are written for."""

import asyncio

import asyncpg
import pytest

from app.kit.storage.database import Database
from app.kit.storage.migrations import IDENTITY
from app.schema import SchemaOutdatedError, check_schema, migrate
from app.tables import TABLES
from migrations import callbook_2026_11_23t09_00_00 as first
from migrations import callbook_2026_11_30t14_30_00 as index
from tests.blocking import begin_apart, wait_until_blocked


async def open_database(url: str) -> Database:
    database = Database(url, TABLES)
    await database.open()
    return database


async def read_columns(database: Database, table: str) -> set[str]:
    if database.is_sqlite:
        return {str(row["name"]) for row in await database.run(f"PRAGMA table_info({table})")}
    rows = await database.run(
        "SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1", table
    )
    return {str(row["name"]) for row in rows}


async def test_the_migrations_make_the_columns_of_the_tables(database_url: str) -> None:
    database = await open_database(database_url)
    try:
        for table in TABLES:
            columns = {column._meta.db_column_name for column in table.all_columns()}  # noqa: SLF001  Piccolo
            name = table._meta.tablename  # noqa: SLF001  tells the names nowhere else.
            assert await read_columns(database, name) == columns
    finally:
        await database.close()


async def go_back_to_the_first_version(database: Database) -> None:
    """Make the schema empty, as the first migration made it."""
    for table in TABLES:
        await database.run(f"DROP TABLE {table._meta.tablename}")  # noqa: SLF001  As above.
    kind = "sqlite" if database.is_sqlite else "postgres"
    for statement in first.STATEMENTS:
        await database.run(statement.format(identity=IDENTITY[kind]))
    await database.run(f"DELETE FROM migration WHERE name <> '{first.ID}'")


INSTALLED = """
    INSERT INTO portals (member_id, state, generation, domain, client_endpoint, oauth_server, license_status,
        language, application_token_dated_at, token_version, pair_dated_at, access_expires_at, renew_at,
        token_state, refresh_lease_until, setup, installed_at, lookup_claimed_at, people_read_at)
    VALUES ('a', 'installed', 1, '', '', '', '', '', 0, 0, 0, 0, 0, 'ok', 0, '[]', 0, 0, 0)
"""
CALL = """
    INSERT INTO calls (portal_id, call_id, source, started_at, received_at) VALUES (1, '{}', 'event', 1, 1)
"""
LEG = """
    INSERT INTO call_legs (portal_id, call_id, statistics_id, started_at, received_at)
    VALUES (1, 'seen', 7, 1, 1)
"""


async def test_a_database_with_rows_is_brought_up_to_date(database_url: str) -> None:
    database = await open_database(database_url)
    try:
        await go_back_to_the_first_version(database)
        for statement in (INSTALLED, CALL.format("seen"), CALL.format("unseen"), LEG):
            await database.run(statement)
        with pytest.raises(SchemaOutdatedError):
            await check_schema(database)
        await migrate(database)
        await check_schema(database)
        assert await database.run("SELECT * FROM statistics_marks") == []
        calls = await database.run("SELECT call_id, is_confirmed FROM calls ORDER BY call_id")
        assert [(row["call_id"], bool(row["is_confirmed"])) for row in calls] == [
            ("seen", True),
            ("unseen", False),
        ]
        assert len(await database.run("SELECT id FROM portals")) == 1
    finally:
        await database.close()


STORED = CALL.format("stored")
INDEX = "CREATE INDEX%calls_unconfirmed"


async def forget_the_index(database: Database) -> None:
    """Drop the index, as before the migration that builds it."""
    await database.run("DROP INDEX IF EXISTS calls_unconfirmed")
    await database.run(f"DELETE FROM migration WHERE name = '{index.ID}'")


async def is_built(database: Database) -> bool:
    if database.is_sqlite:
        return bool(await database.run("SELECT 1 FROM sqlite_master WHERE name = 'calls_unconfirmed'"))
    rows = await database.run(
        "SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('calls_unconfirmed')"
    )
    return [row["valid"] for row in rows] == [True]


async def cut_off(database: Database, task: asyncio.Task[None]) -> None:
    """Cut off an attempt that waits for a transaction of the caller's."""
    await wait_until_blocked(database, task, INDEX)
    await database.run(
        f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '{INDEX}%'"
        " AND pid <> pg_backend_pid()"
    )
    with pytest.raises(asyncpg.QueryCanceledError):
        await task


async def test_an_index_is_built_once_and_one_that_is_there_already_stays(database_url: str) -> None:
    database = await open_database(database_url)
    try:
        await database.run(f"DELETE FROM migration WHERE name = '{index.ID}'")
        await migrate(database)
        await check_schema(database)
        await forget_the_index(database)
        await asyncio.gather(migrate(database), begin_apart(migrate(database)))
        await check_schema(database)
        assert await is_built(database)
    finally:
        await database.close()


async def test_calls_are_stored_while_an_index_is_built_and_an_attempt_that_was_cut_off_is_made_good(
    postgres_url: str,
) -> None:
    database = await open_database(postgres_url)
    try:
        await forget_the_index(database)
        async with database.transaction():  # A call is not committed yet, so the index waits for it.
            await database.run(CALL.format("waiting"))
            await cut_off(database, begin_apart(migrate(database)))
            assert not await is_built(database)
            again = begin_apart(migrate(database))
            await wait_until_blocked(database, again, "INDEX%calls_unconfirmed")
            await begin_apart(store_at_once(database))
        await again
        await check_schema(database)
        assert await is_built(database)
        assert len(await database.run("SELECT 1 FROM calls WHERE call_id IN ('waiting', 'stored')")) == 2
    finally:
        await database.close()


async def store_at_once(database: Database) -> None:
    """Store a call; raises if the statement would have to wait for a lock."""
    async with database.transaction():
        await database.run("SET LOCAL lock_timeout = '1s'")
        await database.run(STORED)


async def test_a_migration_that_waits_for_old_code_which_waits_for_it_is_run_again(postgres_url: str) -> None:
    """PostgreSQL ends the migration, which has waited for longer; the old code's call is stored."""
    database = await open_database(postgres_url)
    try:
        await go_back_to_the_first_version(database)
        async with database.transaction():
            await database.run("LOCK TABLE call_legs IN ROW EXCLUSIVE MODE")
            migrating = begin_apart(migrate(database))
            await wait_until_blocked(database, migrating, "ALTER TABLE call_legs")
            await database.run(STORED)
        await migrating
        await check_schema(database)
        assert len(await database.run("SELECT 1 FROM calls WHERE call_id = 'stored'")) == 1
    finally:
        await database.close()
