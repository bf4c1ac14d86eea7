"""The web application. Tests call `create_app`, server processes call `from_environment`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from litestar import Litestar

from app.kit.clock import Clock
from app.kit.collector import spare_what_stays
from app.kit.fairness.budget import Limits
from app.kit.messages.logging import configure_logging
from app.portals.settings.quotas import USUAL, Quotas
from app.scheduler import run_scheduler
from app.settings import Settings
from app.web.events import events
from app.web.health import HEALTH_ROUTES
from app.web.http.errors import EXCEPTION_HANDLERS
from app.web.http.live_streams import end_on_signals
from app.web.http.requests import DEPENDENCIES, MAX_BODY_BYTES
from app.web.routes import OPENAPI, ROUTES
from app.wiring import Parts, open_parts


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    limits: Limits | None = None,
    quotas: Quotas = USUAL,
    rate_clock: Clock | None = None,
    is_migrating: bool = False,
    is_scheduling: bool = False,
    is_alone: bool = False,
) -> Litestar:
    """The application with its parts, which open when the server starts it and close when it stops.

    `rate_clock` is for tests that move time. `is_alone`: this process serves nothing else, so its garbage
    collector may be tuned.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_parts(
            settings,
            clock=clock,
            limits=limits,
            quotas=quotas,
            rate_clock=rate_clock,
            is_migrating=is_migrating,
        ) as parts:
            app.state.parts = parts
            if is_alone:
                spare_what_stays()
            with end_on_signals(partial(end_waits, parts)):
                async with parts.evidence.watch(), run_scheduler(parts) if is_scheduling else nullcontext():
                    yield

    return Litestar(
        route_handlers=[events, *HEALTH_ROUTES, *ROUTES],
        dependencies=DEPENDENCIES,
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[lifespan],
        openapi_config=OPENAPI,
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )


def end_waits(parts: Parts) -> None:
    """End all waiting requests now, because this process ends and would cut them off later."""
    parts.streams.end_all()
    parts.answers.stop()
    parts.database.end_waits()


def from_environment() -> Litestar:
    """The application for uvicorn's worker processes, without migration and scheduler."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings.log_format, settings.log_level)
    return create_app(settings, is_alone=True)
