"""A command that cannot work says so in one clear line, with exit code 1 and without a traceback."""

from pathlib import Path

import pytest

from app.kit.crypto import generate_key
from tests.commands.running import make_environment, run_command
from tests.databases import KEYS
from tests.running import CLIENT_SECRET

NOWHERE = "postgresql://callbook:passw0rd@127.0.0.1:9/none"


@pytest.mark.parametrize("command", ["serve", "web", "scheduler", "migrate"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"B24_CLIENT_ID": None}, "B24_CLIENT_ID is not set"),
        ({"ENCRYPTION_KEYS": "k1:passw0rd"}, "ENCRYPTION_KEYS"),
        ({"DATABASE_URL": "mysql://u:passw0rd@h/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": NOWHERE}, "database cannot be used"),
    ],
)
async def test_a_role_that_cannot_begin_says_why_in_one_line(
    tmp_path: Path, command: str, changes: dict[str, str | None], said: str
) -> None:
    environment = make_environment(f"sqlite:///{tmp_path}/x.sqlite3", None, **changes)
    line = (await run_command(environment, command)).refusal()
    assert said in line
    for secret in ("passw0rd", CLIENT_SECRET, KEYS):
        assert secret not in line


@pytest.mark.parametrize("command", [["serve"], ["web"], ["portals", "list"], ["keys", "rotate"]])
async def test_other_keys_are_refused_in_one_line(sqlite_url: str, command: list[str]) -> None:
    environment = make_environment(sqlite_url, ENCRYPTION_KEYS=generate_key("other"))
    assert "ENCRYPTION_KEYS" in (await run_command(environment, *command)).refusal()


async def test_a_file_that_is_no_database_ends_the_command(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite3"
    file.write_bytes(b"this is no database" * 1000)
    file.chmod(0o600)  # Else the first line would say that its permissions were narrowed.
    environment = make_environment(f"sqlite:///{file}")
    for command in (["portals", "list"], ["serve"]):
        assert "not a database" in (await run_command(environment, *command)).refusal()


@pytest.mark.parametrize("command", ["web", "scheduler"])
async def test_an_outdated_schema_is_refused_and_never_migrated(tmp_path: Path, command: str) -> None:
    file = tmp_path / "x.sqlite3"
    line = (await run_command(make_environment(f"sqlite:///{file}"), command)).refusal()
    assert "python -m app migrate" in line
    assert b"CREATE TABLE" not in file.read_bytes()


@pytest.mark.parametrize("arguments", [["show"], ["sync"], ["events"], ["forget"]])
async def test_an_unknown_portal_is_named(sqlite_url: str, arguments: list[str]) -> None:
    environment = make_environment(sqlite_url)
    line = (await run_command(environment, "portals", *arguments, "f" * 32)).refusal()
    assert "f" * 32 in line
