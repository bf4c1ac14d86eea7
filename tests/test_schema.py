"""The schema that the migrations make, against the tables that the queries are written for."""

import pytest

from app.kit.database import Database
from app.schema import SchemaOutdatedError, check_schema, migrate
from app.tables import TABLES
from tests.calls.stored import insert_portal
from tests.web.calls import insert_calls

MARKS = "2026-11-24T09:00:00:000000"


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


async def test_a_database_with_rows_is_brought_up_to_date(database_url: str) -> None:
    """As the first version left it: without the marks."""
    database = await open_database(database_url)
    try:
        portal_id = await insert_portal()
        await insert_calls(portal_id, {}, {})
        await database.run("DROP TABLE statistics_marks")
        await database.run(f"DELETE FROM migration WHERE name = '{MARKS}'")
        with pytest.raises(SchemaOutdatedError):
            await check_schema(database)
        await migrate(database)
        await check_schema(database)
        assert await database.run("SELECT * FROM statistics_marks") == []
        assert len(await database.run("SELECT id FROM calls")) == 2
        assert len(await database.run("SELECT id FROM portals")) == 1
    finally:
        await database.close()
