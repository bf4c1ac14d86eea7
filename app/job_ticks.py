"""Begins the jobs: most by monotonic ticks, one by APScheduler, whose plan follows the wall clock.

If the wall clock is set back by an hour, a job that waits for a time of that clock waits an hour longer, and
nothing tells of it. So APScheduler plans only the renewal of pairs. When the clock was set by more than a
minute, this module begins a renewal at once, and the next ones count from it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.kit.clock import Clock
from app.kit.ticks import JITTER, Intervals, Steps

log = structlog.get_logger(__name__)
TICK_S = 1.0
Begin = Callable[[str], None]  # Starts the job of this name and returns at once.


class Ticks:
    """Begins jobs at their intervals, in seconds; `monotonic` is real unless a test moves time."""

    def __init__(
        self,
        intervals_s: Mapping[str, int],
        begin: Begin,
        plan_again: Callable[[], None],
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._plan_again = plan_again
        self._clock = clock
        self._monotonic = monotonic
        self._intervals = Intervals(intervals_s, monotonic())
        self._steps = Steps(clock.now(), monotonic())

    def tick(self) -> None:
        """Begin the due jobs, and plan again if the wall clock was set; to be called about every second."""
        now = self._monotonic()
        for name in self._intervals.take_due(now):
            self._begin(name)
        if step_s := self._steps.take_step(self._clock.now(), now):
            log.warning("the clock was set", step_s=round(step_s))
            self._plan_again()

    async def run(self) -> None:
        """Tick until cancelled. An error in a tick is logged: without the next tick no job would
        run again.
        """
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self.tick()
            except Exception:
                log.exception("a tick failed")


class Plan:
    """APScheduler's plan of the one job that follows the wall clock."""

    def __init__(self, name: str, interval_s: int, begin: Begin, clock: Clock) -> None:
        self._clock = clock
        self._scheduler = AsyncIOScheduler(timezone="UTC")

        async def begin_it() -> None:  # APScheduler runs a coroutine in the loop, a function in a thread.
            begin(name)

        self._job = self._scheduler.add_job(
            begin_it,
            "interval",
            seconds=interval_s,
            jitter=interval_s // JITTER,
            id=name,
            coalesce=True,
            misfire_grace_time=None,
        )

    @property
    def next_at(self) -> datetime:
        """The moment of the next turn, by the machine's clock."""
        next_at: datetime = self._job.next_run_time
        return next_at

    def start(self) -> None:
        """Begin to keep the plan."""
        self._scheduler.start()

    def begin_now(self) -> None:
        """Begin a turn now; the next ones count from it."""
        self._job.modify(next_run_time=datetime.fromtimestamp(self._clock.now(), UTC))

    def stop(self) -> None:
        """End the plan; no turn begins after that."""
        self._scheduler.shutdown(wait=False)


@asynccontextmanager
async def keep_ticking(ticks: Ticks, plan: Plan) -> AsyncIterator[None]:
    """Begin jobs until the context ends; running jobs go on after it."""
    plan.start()
    task = asyncio.create_task(ticks.run(), name="ticks")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        plan.stop()
