import asyncio
from pathlib import Path

import pytest

from app.kit.crypto import Keyring, generate_key
from app.kit.storage.database import Database
from app.tables import TABLES
from tests.commands.running import make_environment, run_command
from tests.databases import KEYS, PostgresDatabases


async def test_a_generated_key_is_accepted_and_needs_no_environment(tmp_path: Path) -> None:
    generated = await run_command({}, "keys", "generate")
    assert (generated.code, generated.err) == (0, "")
    key = generated.out.strip()
    assert len(Keyring.parse(key).keys) == 1
    assert (await run_command({}, "keys", "generate")).out.strip() != key
    environment = make_environment(f"sqlite:///{tmp_path}/x.sqlite3", None, ENCRYPTION_KEYS=key)
    assert (await run_command(environment, "migrate")).code == 0
    assert (await run_command(environment, "portals", "list")).out == "none\n"


async def test_rotate_is_told_and_the_old_key_can_go(database_url: str) -> None:
    new = generate_key("new")
    both = make_environment(database_url, None, ENCRYPTION_KEYS=f"{new},{KEYS}")
    first = await run_command(both, "keys", "rotate")
    assert (first.code, first.out) == (0, "1 re-encrypted with key new, 0 changed meanwhile\n")
    again = await run_command(both, "keys", "rotate")
    assert (again.code, again.out) == (0, "0 re-encrypted with key new, 0 changed meanwhile\n")
    alone = make_environment(database_url, None, ENCRYPTION_KEYS=new)
    assert (await run_command(alone, "portals", "list")).code == 0


async def test_migrate_twice_does_it_once(tmp_path: Path) -> None:
    environment = make_environment(f"sqlite:///{tmp_path}/deep/er/x.sqlite3")
    for _ in range(2):
        done = await run_command(environment, "migrate")
        assert (done.code, done.out.splitlines()[-1]) == (0, "the schema is up to date"), done.all


@pytest.fixture
def empty_postgres_url(postgres_databases: PostgresDatabases, postgres_url: str) -> str:
    """A database without migrations: the copied one, emptied."""

    async def empty() -> None:
        database = Database(postgres_url, TABLES)
        await database.open()
        await database.run("DROP SCHEMA public CASCADE")
        await database.run("CREATE SCHEMA public")
        await database.close()

    asyncio.run(empty())
    return postgres_url


async def test_three_migrations_at_once_do_it_once(empty_postgres_url: str) -> None:
    environment = make_environment(empty_postgres_url)
    assert "python -m app migrate" in (await run_command(environment, "web")).refusal()
    runs = await asyncio.gather(*(run_command(environment, "migrate") for _ in range(3)))
    assert [run.code for run in runs] == [0, 0, 0], [run.all for run in runs]
    assert (await run_command(environment, "portals", "list", "--json")).out == "[]\n"


async def test_three_migrations_of_a_new_file_at_once(tmp_path: Path) -> None:
    environment = make_environment(f"sqlite:///{tmp_path}/x.sqlite3")
    runs = await asyncio.gather(*(run_command(environment, "migrate") for _ in range(3)))
    assert [run.code for run in runs] == [0, 0, 0], [run.all for run in runs]
