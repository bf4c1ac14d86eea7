"""Only the owner can read the database's files, with any umask of the machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.kit.storage.database import Database


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """With this umask, a file made without a mode of its own is open to all."""
    former = os.umask(0)
    yield
    os.umask(former)


def modes(folder: Path) -> dict[str, str]:
    """The modes of the folder, under the name ".", and of everything in it."""
    return {
        path.relative_to(folder).as_posix(): oct(path.stat().st_mode & 0o777)
        for path in (folder, *folder.rglob("*"))
    }


async def write_something(path: Path) -> dict[str, str]:
    """Open the database, write, and return the modes while its log lies beside it."""
    database = Database(f"sqlite:///{path}")
    await database.open()
    try:
        await database.run("CREATE TABLE IF NOT EXISTS things (name TEXT)")
        await database.run("INSERT INTO things VALUES ('x')")
        return modes(path.parent)
    finally:
        await database.close()


async def test_a_new_database_is_the_owner_s_from_the_first_moment(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with capture_logs() as logged:
        seen = await write_something(folder / "calls.sqlite3")
    private = dict.fromkeys(("calls.sqlite3", "calls.sqlite3-wal", "calls.sqlite3-shm"), "0o600")
    assert seen == {".": "0o700"} | private
    assert modes(folder.parent)["."] == "0o700"
    assert logged == []  # No permission had to be removed afterwards.


async def test_what_an_older_version_left_open_is_closed_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(0o755)
    (folder / "calls.sqlite3").touch(0o644)
    with capture_logs() as logged:
        seen = await write_something(folder / "calls.sqlite3")
        await write_something(folder / "calls.sqlite3")
    assert seen["."] == "0o700"
    assert {mode for name, mode in seen.items() if name != "."} == {"0o600"}
    assert [line["paths"] for line in logged] == [[str(folder / "calls.sqlite3"), str(folder)]]


async def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(0o755)
    (folder / "another.txt").touch(0o644)
    seen = await write_something(folder / "calls.sqlite3")
    assert (seen["."], seen["another.txt"]) == ("0o755", "0o644")
    assert seen["calls.sqlite3"] == seen["calls.sqlite3-wal"] == "0o600"


async def test_a_file_that_cannot_be_closed_is_told_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(path, mode)

    (tmp_path / "calls.sqlite3").touch(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    with capture_logs() as logged:
        seen = await write_something(tmp_path / "calls.sqlite3")
    assert seen["calls.sqlite3"] == "0o644"
    assert [line["event"] for line in logged] == ["others may read these files"]
