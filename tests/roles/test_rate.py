"""Several processes ask one portal, which enforces the real bucket: 2 a second, 50 at most."""

import asyncio
import sys
from pathlib import Path

from app.demo.stand_in import StandIn
from tests.commands.running import ROOT, make_environment
from tests.patience import PATIENCE_S
from tests.roles.living import install, run_role
from tests.running import CLIENT_ID, CLIENT_SECRET

PROCESSES = 2
REQUESTS = 29  # Of each process: fewer than it may send at once, but together more than the portal takes.


async def test_two_processes_and_a_server_never_exceed_a_portal_s_limit(
    tmp_path: Path, database_url: str
) -> None:
    async with StandIn.serve(portals=1, client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as stand_in:
        portal = stand_in.portals[0]
        portal.add_app()
        environment = make_environment(database_url, stand_in)
        async with run_role("serve", environment, tmp_path) as role:
            await install(portal, role.url, database_url)
            arguments = ("-m", "tests.roles.crowd", portal.member_id, str(REQUESTS))
            processes = [
                await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=environment)
                for _ in range(PROCESSES)
            ]
            async with asyncio.timeout(PATIENCE_S):
                codes = [await process.wait() for process in processes]
        assert codes == [0] * PROCESSES
        assert portal.counts["profile"] >= PROCESSES * REQUESTS
        assert portal.bucket.refusals == 0
