"""Jobs go on after the clock is set: monotonic seconds wake them, and APScheduler's plan is made again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from app import job_ticks
from app.job_ticks import Plan, Ticks, keep_ticking
from app.kit.clock import SystemClock
from app.kit.ticks import JITTER
from app.scheduler import JOBS, renew_pairs
from tests.patience import PATIENCE_S
from tests.running import FakeClock

INTERVALS_S = {job.__name__: interval_s for job, interval_s in JOBS if job is not renew_pairs}
BACK_S = 20 * 60


@dataclass
class Time:
    """Both clocks of a machine; `step` sets the wall clock."""

    wall: FakeClock
    monotonic_s: float = 1_000

    def monotonic(self) -> float:
        return self.monotonic_s

    def pass_by(self, seconds: int) -> None:
        self.wall.advance(seconds)
        self.monotonic_s += seconds

    def step(self, seconds: int) -> None:
        self.wall.advance(seconds)


@pytest.fixture
def time(clock: FakeClock) -> Time:
    return Time(clock)


@pytest.mark.parametrize("step_s", [-BACK_S, BACK_S, -365 * 24 * 3600])
def test_every_job_runs_on_within_its_interval(time: Time, step_s: int) -> None:
    last_at = dict.fromkeys(INTERVALS_S, time.monotonic_s)
    longest_s = dict.fromkeys(INTERVALS_S, 0.0)

    def begin(name: str) -> None:
        longest_s[name] = max(longest_s[name], time.monotonic_s - last_at[name])
        last_at[name] = time.monotonic_s

    plans: list[float] = []
    ticks = Ticks(INTERVALS_S, begin, lambda: plans.append(time.monotonic_s), time.wall, time.monotonic)
    begun_at = time.monotonic_s
    for second in range(3 * 3600):
        if second == 3600:
            time.step(step_s)
        time.pass_by(1)
        ticks.tick()
    assert plans == [begun_at + 3601]
    for name, interval_s in INTERVALS_S.items():
        assert interval_s <= longest_s[name] <= interval_s * (1 + 1 / JITTER) + 1, name


async def test_a_tick_that_fails_is_logged_and_followed_by_the_next(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_ticks, "TICK_S", 0)
    ticks, begun = 0, asyncio.Event()

    def begin(_: str) -> None:
        nonlocal ticks
        ticks += 1
        time.pass_by(60)
        if ticks == 1:
            raise RuntimeError
        begun.set()

    jobs = Ticks({"job": 10}, begin, lambda: None, time.wall, time.monotonic)
    time.pass_by(60)
    with capture_logs() as logs:
        running = asyncio.create_task(jobs.run())
        async with asyncio.timeout(PATIENCE_S):
            await begun.wait()
        running.cancel()
    assert [entry["event"] for entry in logs] == ["a tick failed"]


@asynccontextmanager
async def keep(time: Time, begun: "asyncio.Queue[str]") -> AsyncIterator[tuple[Ticks, Plan]]:
    """Run renewals as in production, by the machine's clock; ticks come when the test says so."""
    plan = Plan("renewal", 900, begun.put_nowait, time.wall)
    ticks = Ticks({}, begun.put_nowait, plan.begin_now, time.wall, time.monotonic)
    async with keep_ticking(ticks, plan):
        yield ticks, plan


@pytest.mark.parametrize("direction", [-1, 1])
async def test_a_step_of_more_than_a_minute_has_the_renewal_begin_at_once(direction: int) -> None:
    time, begun = Time(FakeClock(SystemClock().now() - 3600)), asyncio.Queue[str]()
    async with keep(time, begun) as (ticks, plan):
        planned = plan.next_at
        time.step(direction * 60)
        ticks.tick()
        assert plan.next_at == planned
        time.step(direction)
        ticks.tick()
        async with asyncio.timeout(PATIENCE_S):
            assert await begun.get() == "renewal"
        assert plan.next_at != planned
