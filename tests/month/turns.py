"""The scheduler's jobs at their intervals, when a test has moved the time."""

import traceback

from app.kit.clock import Clock
from app.scheduler import JOBS, run_job
from app.wiring import Parts

HOLDER = "month"


class Turns:
    """Runs the jobs of `app.scheduler` at their intervals, whenever it is given a turn."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due = dict.fromkeys((job.__name__ for job, _ in JOBS), 0)

    async def take(self, parts: Parts) -> list[str]:
        """One turn; what has failed in a way that nobody expects, as text."""
        failures: list[str] = []
        await parts.evidence.flush()  # As every ten seconds; these are real ones.
        for job, interval_s in JOBS:
            if self._due[job.__name__] > self._clock.now():
                continue
            self._due[job.__name__] = self._clock.now() + interval_s
            try:
                await run_job(parts, HOLDER, job)
            except Exception:  # noqa: BLE001  The test is told of whatever it is.
                failures.append(traceback.format_exc())
        await parts.background.drain(60)
        return failures
