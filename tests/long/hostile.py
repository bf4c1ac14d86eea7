"""Hostile portals beside an honest one: how much slower is Callbook for the honest portal than alone?

One `serve` on SQLite, over real HTTP. The honest portal lives alone for a while, then for as long beside two
portals of each kind in `app/demo/hostile_kinds.py` and two that redirect our requests to it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from statistics import median

from app.demo.stand_in import StandIn
from tests.bench.figures import Figure
from tests.commands.running import make_environment
from tests.long.honest import Honest, Took
from tests.ports import free_port
from tests.processes import ROOT, run_process
from tests.running import CLIENT_ID, CLIENT_SECRET

MOST_TIMES_SLOWER = 2.0
# Before the portals' first reads have begun there is nothing to measure.
SETTLE_S = 5.0


@asynccontextmanager
async def start_hostile(kinds: Sequence[str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process of the hostile portals, which waits for the word to begin, and its authorization server."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.long.hostile_portals", *kinds),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def measure(database_url: str, seconds: float, kinds: Sequence[str] = ()) -> tuple[Took, Took, int]:
    """The times of the honest portal's steps, alone and then beside; and how often its own limit was hit."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        StandIn.serve(3, client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as stand_in,
        start_hostile(kinds) as (hostile, other_server),
    ):
        changes: dict[str, str | None] = {"APP_URL": url, "PORT": str(port), "LOG_LEVEL": "error"}
        changes["B24_OAUTH_SERVERS"] = f"{stand_in.oauth_origin},{other_server}"
        environment = make_environment(database_url, stand_in, **changes, PYTHONWARNINGS=None)
        with run_process(["-m", "app", "serve"], environment, port) as serve:
            honest = Honest(stand_in, url)
            await honest.install()
            alone = await honest.live(seconds)
            assert hostile.stdin is not None
            hostile.stdin.write(f"{url} {honest.portal.origin}\n".encode())
            await hostile.stdin.drain()
            await asyncio.sleep(SETTLE_S)
            beside = await honest.live(seconds)
            assert (hostile.returncode, serve.poll()) == (None, None)
            serve.kill()  # An orderly end would first wait for hostile portals.
    return alone, beside, honest.portal.bucket.refusals


def compare(alone: Took, beside: Took, refusals: int) -> list[Figure]:
    """The medians, each compared with that of the time alone; nothing may have gone wrong."""
    figures: list[Figure] = []
    for name, before in alone.seconds.items():
        after = beside.seconds[name]
        ratio = median(after) / median(before)
        figures += [
            Figure(f"{name}, ms alone (median of {len(before)})", median(before) * 1000),
            Figure(f"{name}, ms beside hostile portals ({len(after)})", median(after) * 1000),
            Figure(f"{name}, slowest tenth, ms alone", _slowest_tenth(before) * 1000),
            Figure(f"{name}, slowest tenth, ms beside", _slowest_tenth(after) * 1000),
            Figure(f"{name}, beside over alone", ratio, MOST_TIMES_SLOWER),
            Figure(f"{name}, refused or lost", alone.wrong[name] + beside.wrong[name], 0),
        ]
    return [*figures, Figure("the honest portal's limit was used up by others", refusals, 0)]


def _slowest_tenth(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 9 // 10]
