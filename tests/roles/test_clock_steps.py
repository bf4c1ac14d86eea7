"""A real `serve` whose wall clock is set while it runs: work that is due is done, and the jobs go on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from app.kit.storage.database import Database
from tests.commands.running import make_environment
from tests.month.clock import SharedClock
from tests.roles.living import install, run_role, wait_for_rows
from tests.running import CLIENT_ID, CLIENT_SECRET

DAY_S = 24 * 3600
LEASE_END = "SELECT expires_at FROM leases WHERE name = 'scheduler'"


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    """The stand-in by the machine's clock, like the process at its start."""
    async with StandIn.serve(portals=1, client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as served:
        yield served


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


async def wait_for_renewal(database: Database, now: int) -> None:
    """Wait until the new pair is stored: the next renewal is then due in 25 days."""
    await wait_for_rows(database, f"SELECT 1 AS n FROM portals WHERE renew_at > {now + 20 * DAY_S}")


async def wait_for_a_turn(database: Database, now: int) -> int:
    """Wait until a job has kept the lease by a clock that shows about this time, as the end of the lease
    tells.
    """
    about = f"expires_at BETWEEN {now - 300} AND {now + 600}"
    row = (await wait_for_rows(database, f"{LEASE_END} AND {about}"))[0]
    return int(row["expires_at"])


@pytest.mark.parametrize("step_s", [-20 * 60, 20 * 60])
async def test_a_due_renewal_runs_at_once_after_a_step_and_jobs_go_on(
    tmp_path: Path, database_url: str, database: Database, stand_in: StandIn, step_s: int
) -> None:
    """Each wait ends long before the renewal job is due by itself, a quarter of an hour later."""
    portal = stand_in.portals[0]
    portal.add_app()
    clock = SharedClock(tmp_path / "clock", 0)
    environment = make_environment(database_url, stand_in) | {"CLOCK_FILE": str(clock.path)}
    async with run_role("serve", environment, tmp_path, "tests.roles.stepped") as role:
        await install(portal, role.url, database_url)
        await database.run("UPDATE portals SET renew_at = 1, pair_bought_at = 1, pair_stored_at = 1")
        assert stand_in.counts["oauth.refresh"] == 0
        clock.set(step_s)
        now = SystemClock().now() + step_s
        await wait_for_renewal(database, now)
        assert stand_in.counts["oauth.refresh"] == 1
        kept = await wait_for_a_turn(database, now)
        await wait_for_rows(database, f"{LEASE_END} AND expires_at > {kept}")
        assert await role.stop() == 0
        assert "Traceback" not in role.output
