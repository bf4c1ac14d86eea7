"""The scheduler's jobs at their intervals, and the heartbeat, when a test has moved the time."""

import traceback

from app.kit.clock import Clock
from app.scheduler import JOBS, run_job
from app.wiring import Parts

HOLDER = "month"
NEVER_S = 1_000_000  # A period for the process's own heartbeat, which goes by real seconds.


class Turns:
    """Runs the jobs of `app.scheduler` at their intervals, by a clock that never steps, at each turn that it
    is given.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due = dict.fromkeys((job.__name__ for job, _ in JOBS), 0)
        self._ahead_s: int | None = None

    async def take(self, parts: Parts) -> list[str]:
        """Take a turn; return the tracebacks of unexpected failures."""
        failures: list[str] = []
        await self._beat(parts)
        for job, interval_s in JOBS:
            if self._due[job.__name__] > self._clock.now():
                continue
            self._due[job.__name__] = self._clock.now() + interval_s
            try:
                await run_job(parts, HOLDER, job)
            except Exception:  # noqa: BLE001  The test gets every traceback.
                failures.append(traceback.format_exc())
        return failures + await self.let_end(parts)

    async def let_end(self, parts: Parts) -> list[str]:
        """Wait until all background work has ended, during which the time stands still; return no
        failures.
        """
        await parts.background.drain(60)
        return []

    async def _beat(self, parts: Parts) -> None:
        """Beat as in production, where the heartbeat is ten seconds old at most, however far a test has moved
        the time. A step of the wall clock makes it older or younger, which causes no read.
        """
        ahead_s = parts.clock.now() - self._clock.now()
        if self._ahead_s in {None, ahead_s}:
            await parts.evidence.show_alive()
        self._ahead_s = ahead_s
        await parts.evidence.beat()
