"""`kill -9` in the middle of an export leaves nothing of a portal in the temporary folder."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import httpx
import pytest

from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from app.kit.storage.database import Database
from app.portals import queries
from app.tables import TABLES
from tests.commands.running import make_environment, run_command
from tests.patience import wait_until
from tests.roles.living import Role, open_session, run_role
from tests.running import CLIENT_ID, CLIENT_SECRET

CALLS = 60_000  # Writing them takes some seconds.
NUMBERS = {
    "sqlite": f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {CALLS})"
    " SELECT i FROM n",
    "postgresql": f"SELECT i FROM generate_series(1::bigint, {CALLS}) AS s(i)",
}


async def insert_calls(database_url: str, member_id: str) -> None:
    database = Database(database_url, TABLES)
    await database.open()
    try:
        portal = await queries.find_portal(member_id)
        assert portal is not None
        now = SystemClock().now()
        await database.run(
            "INSERT INTO calls (portal_id, call_id, phone_number, reason, started_at, source, received_at)"
            f" SELECT {portal.id}, 'c' || i, '+4930' || i, 'reason ' || i, {now} - i, 'history', {now}"
            f" FROM ({NUMBERS[database.dialect]}) AS numbers"
        )
    finally:
        await database.close()


def list_open_files(role: Role, folder: Path) -> list[str]:
    """The files of the folder that the process has open, with or without a name."""
    found: list[str] = []
    for link in Path(f"/proc/{role.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return [path for path in found if path.startswith(str(folder))]


async def wait_until_writing(role: Role, folder: Path) -> None:
    await wait_until(lambda: list_open_files(role, folder))


@pytest.mark.skipif(sys.platform != "linux", reason="no other system shows what a process has open")
async def test_a_killed_export_leaves_nothing(tmp_path: Path, database_url: str) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    async with StandIn.serve(client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as stand_in:
        portal = stand_in.portals[0]
        environment = make_environment(database_url, stand_in) | {"TMPDIR": str(folder)}
        async with run_role("serve", environment, tmp_path) as role:
            assert (await portal.install(role.url)).status_code == httpx.codes.OK
            await insert_calls(database_url, portal.member_id)
            async with await open_session(portal, role.url) as client:
                asking = asyncio.create_task(client.get("/api/v1/calls.xlsx"))
                await wait_until_writing(role, folder)
                assert await role.stop(signal.SIGKILL) == -signal.SIGKILL
                with pytest.raises(httpx.TransportError):
                    await asking
        after_the_kill = list(folder.rglob("*"))
        async with run_role("serve", environment, tmp_path):
            after_a_restart = list(folder.rglob("*"))
        assert (await run_command(environment, "portals", "forget", portal.member_id)).code == 0
    assert after_the_kill == after_a_restart == list(folder.rglob("*")) == []
