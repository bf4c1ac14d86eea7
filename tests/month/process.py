"""Callbook as a process with a clock that the test sets. ``python -m tests.month.process CLOCK_FILE``

It is the application of production; the test controls only the times of its scheduler and of its heartbeat.
`POST /turn` runs every job whose interval has passed, as a scheduler does that was busy for a while, and
answers when all is quiet. `POST /quiet` only waits until all is quiet.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from app.asgi import create_app
from app.calls.statistics.progress import evidence
from app.demo.core.listener import listen
from app.kit.messages.logging import configure_logging
from app.settings import Settings
from tests.month.clock import SharedClock
from tests.month.turns import NEVER_S, Turns
from tests.running import hold_lifespan, limit_questions

LIMITS = limit_questions(1_000_000, installations=1_000_000)


async def serve(clock: SharedClock) -> None:
    """Serve until the process is killed."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings.log_format, settings.log_level)
    evidence.PERIOD_S = NEVER_S  # The turns keep the heartbeat.
    app = create_app(settings, clock=clock.wall, limits=LIMITS, rate_clock=clock)
    turns = Turns(clock)

    async def with_turns(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in {"/turn", "/quiet"}:
            await app(scope, receive, send)
            return
        act = turns.take if scope["path"] == "/turn" else turns.let_end
        body = msgspec.json.encode(await act(app.state.parts))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with hold_lifespan(app):
        await listen(with_turns, settings.port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(SharedClock(Path(sys.argv[1]))))
