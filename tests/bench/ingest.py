"""Durable ingest through the whole application, as a ratio to the raw ceiling of the same run."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

import msgspec
import psutil

from tests.load import Sender, Summary
from tests.ports import free_port
from tests.processes import ROOT, make_environment, run_process, run_serve

CONNECTIONS = 64
EVENTS = 20_000
WARM_UP = 2_000


class Round(msgspec.Struct, frozen=True):
    """One run of the load against one server."""

    events_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


class Target(msgspec.Struct):
    """A running server, and its rounds so far."""

    name: str
    port: int
    process_id: int
    sender: Sender
    idle_mib: float
    rounds: list[Round] = msgspec.field(default_factory=list)
    forged_rounds: list[Round] = msgspec.field(default_factory=list)
    sent: int = 0

    @property
    def events_per_s(self) -> float:
        return median(each.events_per_s for each in self.rounds)

    @property
    def forged_ratio(self) -> float:
        """The processor time of a forged event, divided by that of a good one."""
        return median(each.cpu_us for each in self.forged_rounds) / median(
            each.cpu_us for each in self.rounds
        )


@contextlib.contextmanager
def run_raw() -> Iterator[Target]:
    port = free_port()
    with run_process(["-m", "tests.bench.raw", str(port)], make_environment("", port), port) as process:
        yield _target("raw ASGI no-op", port, process, Sender("a" * 32, "b" * 32, "c" * 32))


@contextlib.contextmanager
def run_callbook(name: str, database_url: str, sender: Sender) -> Iterator[Target]:
    with run_serve(database_url) as (process, port):
        yield _target(name, port, process, sender)


def run_round(target: Target, events: int = EVENTS) -> None:
    """Send the events from a process of its own and keep its figures; every event must be stored."""
    target.rounds.append(_measure(target, target.sender, events, 200))


def run_forged_round(target: Target, events: int = EVENTS) -> None:
    """The same with a wrong token; every one must be refused."""
    forged = Sender(target.sender.member_id, "f" * 32, target.sender.prefix)
    target.forged_rounds.append(_measure(target, forged, events, 403))


def _measure(target: Target, sender: Sender, events: int, status: int) -> Round:
    target.sent += 1
    server = psutil.Process(target.process_id)
    before = server.cpu_times()
    arguments = [sender.member_id, sender.application_token, f"{sender.prefix[:24]}{target.sent:08x}"]
    numbers = [str(number) for number in (target.port, CONNECTIONS, events)]
    command = [sys.executable, "-m", "tests.load", *arguments, "127.0.0.1", *numbers]
    finished = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=120)
    after = server.cpu_times()
    summary = msgspec.json.decode(finished.stdout, type=Summary)
    if summary.statuses != {status: events}:
        raise SystemExit(f"{target.name}: answered {summary.statuses}, not {events} times {status}")
    cpu_s = after.user + after.system - before.user - before.system
    return Round(summary.events_per_s, summary.p50_ms, summary.p99_ms, cpu_s / events * 1e6)


def _target(name: str, port: int, process: subprocess.Popen[bytes], sender: Sender) -> Target:
    idle_mib = psutil.Process(process.pid).memory_info().rss / 2**20
    return Target(name, port, process.pid, sender, idle_mib)
