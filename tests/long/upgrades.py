"""Upgrades: a database as each earlier migration left it, with rows, is migrated by `python -m app migrate`.

Meanwhile old code goes on to store events. Afterwards the schema equals that of a new database, the log shows
each call, and the command line lists the portal.
"""

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from piccolo.apps.migrations.commands.forwards import run_forwards

from app.calls.log.logged_calls import Viewer, list_calls
from app.calls.log.selection.cursors import parse_cursor
from app.calls.log.selection.filters import Filters, ListRequest
from app.calls.store.retries import retry_overtaken
from app.kit.storage.database import Database
from app.piccolo_app import MIGRATIONS
from app.portals.settings.visible_users import EVERYONE
from app.schema import APP, point_piccolo_at
from app.tables import TABLES
from tests.commands.running import make_environment, run_command
from tests.databases import PostgresDatabases, SqliteDatabases

MEMBER_ID = "a" * 32
CALLS = 40
STARTED_AT = 1_795_000_000
# The columns that a version of the first day writes for an event.
CALL = (
    "INSERT INTO calls (portal_id, call_id, source, started_at, received_at)"
    f" VALUES (1, '{{}}', 'event', {STARTED_AT}, {STARTED_AT})"
)
LEG = (
    "INSERT INTO call_legs (portal_id, call_id, started_at, received_at)"
    f" VALUES (1, '{{}}', {STARTED_AT}, {STARTED_AT})"
)
# Values that a row needs to be an honest one; any other column that must have a value gets 0, false or ''.
HONEST = {
    "member_id": f"'{MEMBER_ID}'",
    "state": "'installed'",
    "generation": "1",
    "portal_id": "1",
    "setup": "'[]'",
    "token_state": "'ok'",
    "contact_state": "'ok'",
    "history_state": "'complete'",
}
WRITTEN_APART = frozenset({"calls", "call_legs"})

Schema = dict[str, list[tuple[object, ...]]]


class Column(NamedTuple):
    """A column of a table, and whether a row must name a value for it."""

    name: str
    kind: str
    is_needed: bool


def list_migrations() -> list[str]:
    """The ids of all migrations, oldest first."""
    texts = (path.read_text("utf-8") for path in sorted(MIGRATIONS.glob("callbook_*.py")))
    return [text.split('ID = "')[1].split('"')[0] for text in texts]


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    database = Database(url, TABLES)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def migrate_to(database: Database, migration_id: str) -> None:
    """Leave the database as this migration left it."""
    point_piccolo_at(database)
    with contextlib.redirect_stdout(io.StringIO()):
        assert (await run_forwards(APP, migration_id)).success


async def list_columns(database: Database, table: str) -> list[Column]:
    if database.is_sqlite:
        rows = await database.run(f"PRAGMA table_info({table})")
        return [
            Column(
                str(row["name"]),
                str(row["type"]).lower(),
                bool(row["notnull"]) and row["dflt_value"] is None and not row["pk"],
            )
            for row in rows
        ]
    rows = await database.run(
        "SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'"
        " AS is_needed FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1",
        table,
    )
    return [Column(str(row["column_name"]), str(row["data_type"]), bool(row["is_needed"])) for row in rows]


async def list_tables(database: Database) -> list[str]:
    """The names of our tables that exist by now, the portals first."""
    names = [str(table._meta.tablename) for table in TABLES]  # noqa: SLF001  Piccolo tells it nowhere else.
    there = [name for name in names if await list_columns(database, name)]
    return sorted(there, key=lambda name: (name != "portals", name))


def value_of(column: Column) -> str:
    """A literal for the column."""
    if column.name in HONEST:
        return HONEST[column.name]
    if "bool" in column.kind:
        return "FALSE"
    return "''" if "text" in column.kind or "char" in column.kind else "0"


async def fill(database: Database) -> None:
    """One portal with its calls, and a row in every other table."""
    for table in await list_tables(database):
        if table in WRITTEN_APART:
            continue
        columns = [one for one in await list_columns(database, table) if one.is_needed or one.name in HONEST]
        names, values = ", ".join(one.name for one in columns), ", ".join(map(value_of, columns))
        await database.run(f"INSERT INTO {table} ({names}) VALUES ({values})")
    for number in range(CALLS):
        await store_event(database, f"before.{number}")


async def store_event(database: Database, call_id: str) -> None:
    """As code of the first day stores a call that it hears of."""
    async with database.transaction():
        await database.run(CALL.format(call_id))
        await database.run(LEG.format(call_id))


async def go_on_storing(database: Database, ended: asyncio.Event) -> list[str]:
    """Be the old code: store events until the migration has ended; the ids of those that were committed.

    As every writer of calls does, it repeats a transaction that met another one.
    """
    stored: list[str] = []
    while not ended.is_set():
        call_id = f"meanwhile.{len(stored)}"
        await retry_overtaken(partial(store_event, database, call_id))
        stored.append(call_id)
    return stored


async def read_schema(database: Database) -> Schema:
    """Columns and indexes of every table, by its name."""
    if database.is_sqlite:
        found = await database.run("SELECT tbl_name, name, sql FROM sqlite_master ORDER BY name")
        columns = {
            table: await database.run(f"PRAGMA table_info({table})") for table in await list_tables(database)
        }
        schema = {table: [tuple(row.values()) for row in rows] for table, rows in columns.items()}
    else:
        found = await database.run(
            "SELECT tablename AS tbl_name, indexname AS name, indexdef AS sql FROM pg_indexes"
            " WHERE schemaname = 'public' ORDER BY indexname"
        )
        rows = await database.run(
            "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity"
            " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, column_name"
        )
        schema = {}
        for row in rows:
            schema.setdefault(str(row["table_name"]), []).append(tuple(row.values()))
    for row in found:
        schema.setdefault(f"indexes of {row['tbl_name']}", []).append((row["name"], row["sql"]))
    return schema


async def upgrade(url: str, migration_id: str, wanted: Schema) -> list[str]:
    """Migrate from there to the end while old code writes; the faults, each a sentence."""
    async with open_database(url) as database:
        await migrate_to(database, migration_id)
        await fill(database)
        ended = asyncio.Event()
        writing = asyncio.create_task(go_on_storing(database, ended))
        migrated = await run_command(make_environment(url), "migrate")
        ended.set()
        (stored,) = await asyncio.gather(writing, return_exceptions=True)
    if migrated.code != 0:
        return [f"migrate failed: {migrated.all[-500:]}"]
    if isinstance(stored, BaseException):
        return [f"old code could not store an event meanwhile: {stored!r}"]
    faults: list[str] = []
    async with open_database(url) as database:
        schema = await read_schema(database)
        names = sorted(schema.keys() | wanted.keys())
        faults += [f"{name} differs" for name in names if schema.get(name) != wanted.get(name)]
        shown = await list_shown()
    told = {*(f"before.{number}" for number in range(CALLS)), *stored}
    if lost := told - shown:
        faults.append(f"{len(lost)} of {len(told)} calls are not shown")
    listed = await run_command(make_environment(url), "portals", "list", "--json")
    if listed.code or MEMBER_ID not in listed.out:
        faults.append(f"portals list does not name the portal: {listed.all[-500:]}")
    return faults


async def list_shown() -> set[str]:
    """The ids of the calls in the log of the portal's administrator, page by page."""
    request, shown = ListRequest(Filters()), set[str]()
    viewer = Viewer(1, 1, EVERYONE)
    while True:
        page = await list_calls(viewer, request)
        shown |= {call.call_id for call in page.calls}
        if page.next_cursor is None:
            return shown
        request = ListRequest(Filters(), cursor=parse_cursor(page.next_cursor, request.sort))


async def read_newest_schema(url: str) -> Schema:
    """The schema of a new database."""
    async with open_database(url) as database:
        await migrate_to(database, list_migrations()[-1])
        return await read_schema(database)


def upgrade_all(kind: str, create_empty: Callable[[], str]) -> list[str]:
    """Upgrade from every migration but the last; print a line for each, and return the faults."""
    wanted = asyncio.run(read_newest_schema(create_empty()))
    faults: list[str] = []
    for migration_id in list_migrations()[:-1]:
        began_at = time.monotonic()
        found = asyncio.run(upgrade(create_empty(), migration_id, wanted))
        told = "; ".join(found) or "ok"
        print(f"{kind} from {migration_id}: {told} ({time.monotonic() - began_at:.1f} s)", flush=True)
        faults += found
    return faults


def run_upgrades(folder: Path) -> bool:
    """Upgrade on both databases; print a last line, and return whether nothing was wrong."""
    (folder / "upgrades").mkdir()
    sqlite = SqliteDatabases(folder / "upgrades")
    postgres = PostgresDatabases(folder / "postgres-upgrades")
    try:
        faults = upgrade_all("sqlite", sqlite.create_empty)
        faults += upgrade_all("postgresql", postgres.create_empty)
    finally:
        postgres.close()
    print(f"Upgrades from {len(list_migrations()) - 1} versions on two databases: {len(faults)} faults")
    return not faults
