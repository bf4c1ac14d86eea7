"""Callbook as a process whose time is in the test's hand. ``python -m tests.month.process CLOCK_FILE``

It is the application of production; only the scheduler's times are its own: `POST /turn` runs every job whose
interval has passed, as a scheduler does that was busy meanwhile, and answers when all is quiet.
"""

import asyncio
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

from app.asgi import create_app
from app.demo.serve import listen
from app.kit.logging import configure_logging
from app.portals.budget import Limits
from app.scheduler import JOBS, run_job
from app.settings import Settings
from app.wiring import Parts
from tests.month.clock import SharedClock
from tests.running import hold_lifespan

HOLDER = "month"
LIMITS = Limits(1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000)


class Turns:
    """Runs the jobs of `app.scheduler` at their intervals, whenever it is given a turn."""

    def __init__(self, clock: SharedClock) -> None:
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


async def serve(clock: SharedClock) -> None:
    """Serve until killed."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings.log_format, settings.log_level)
    app = create_app(settings, clock=clock, limits=LIMITS, rate_clock=clock)
    turns = Turns(clock)

    async def with_turns(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/turn":
            await app(scope, receive, send)
            return
        body = msgspec.json.encode(await turns.take(app.state.parts))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with hold_lifespan(app):
        await listen(with_turns, settings.port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(SharedClock(Path(sys.argv[1]))))
