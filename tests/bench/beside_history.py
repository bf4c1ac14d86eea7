"""The wait of events while the same process reads a history of 100,000 rows."""

import asyncio
import sys
from statistics import median

import msgspec

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from tests.bench.figures import Figure
from tests.bench.ingest import CONNECTIONS
from tests.calls.statistics_rows import fill
from tests.commands.running import make_environment
from tests.load import Sender, Summary
from tests.ports import free_port
from tests.processes import ROOT, insert_sender, run_process
from tests.running import CLIENT_ID, CLIENT_SECRET

ROWS = 100_000
EVENTS = 10_000
ROUNDS = 5
MOST_TIMES_SLOWER = 4.0


async def measure(name: str, database_url: str) -> list[Figure]:
    """The p99 of the events alone, the p99 during the read of the history, and the ratio of the two."""
    sender = await insert_sender(database_url)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with StandIn.serve(
        client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=SystemClock()
    ) as stand_in:
        portal = stand_in.portals[0]
        fill(portal, range(1, ROWS + 1))
        portal.add_app()
        environment = make_environment(
            database_url, stand_in, APP_URL=url, PORT=str(port), LOG_LEVEL="error", PYTHONWARNINGS=None
        )
        with run_process(["-m", "app", "serve"], environment, port):
            await _send(sender, port, 0)
            alone = [await _send(sender, port, number) for number in range(1, ROUNDS + 1)]
            await portal.install(url)
            beside = await _send_while_reading(sender, port, portal)
    return _compare(name, alone, beside)


async def _send_while_reading(sender: Sender, port: int, portal: StandInPortal) -> list[Summary]:
    """The rounds that both began and ended while the history was read."""
    rounds: list[Summary] = []
    while True:
        before = portal.counts["batch"]
        told = await _send(sender, port, 100 + len(rounds))
        if portal.counts["batch"] - before < 1 or portal.counts["voximplant.statistic.get"] * 50 >= ROWS:
            break
        rounds.append(told)
    if not rounds:
        raise SystemExit("the history was over before a round of events was")
    return rounds


async def _send(sender: Sender, port: int, number: int) -> Summary:
    arguments = [sender.member_id, sender.application_token, f"{sender.prefix[:24]}{number:08x}", "127.0.0.1"]
    numbers = [str(value) for value in (port, CONNECTIONS, EVENTS)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load", *arguments, *numbers, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    summary = msgspec.json.decode(out, type=Summary)
    if summary.acknowledged != EVENTS:
        raise SystemExit(f"answered {summary.statuses}, not {EVENTS} times 200")
    return summary


def _compare(name: str, alone: list[Summary], beside: list[Summary]) -> list[Figure]:
    alone_ms, beside_ms = (median(one.p99_ms for one in rounds) for rounds in (alone, beside))
    return [
        Figure(f"{name}, p50 ms alone", median(one.p50_ms for one in alone)),
        Figure(f"{name}, p50 ms beside the history", median(one.p50_ms for one in beside)),
        Figure(f"{name}, p99 ms alone", alone_ms),
        Figure(f"{name}, p99 ms beside the history", beside_ms),
        Figure(f"{name}, p99 beside the history over p99 alone", beside_ms / alone_ms, MOST_TIMES_SLOWER),
    ]
