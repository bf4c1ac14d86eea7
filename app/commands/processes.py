"""The processes: everything in one, or web, scheduler and migration by themselves (Procfile)."""

import asyncio
import signal
from typing import Any

import uvicorn
from litestar import Litestar

from app.asgi import create_app
from app.scheduler import run_scheduler
from app.settings import Settings
from app.wiring import open_parts

GRACE_S = 10


def serve(settings: Settings) -> None:
    """Migrate, then web and scheduler in this process: the embedded default."""
    app = create_app(settings, is_migrating=True, is_scheduling=True)
    uvicorn.Server(_configure(settings, app)).run()


def web(settings: Settings) -> None:
    """Answer requests in WEB_WORKERS processes; refuses an outdated schema before it listens."""
    asyncio.run(_check(settings))
    if settings.web_workers == 1:
        uvicorn.Server(_configure(settings, create_app(settings))).run()
    else:
        uvicorn.run(
            "app.asgi:from_environment", factory=True, workers=settings.web_workers, **_options(settings)
        )


async def schedule(settings: Settings) -> None:
    """Run the jobs until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_parts(settings) as parts, run_scheduler(parts):
        await stop.wait()


async def migrate(settings: Settings) -> None:
    """Bring the schema up to date."""
    async with open_parts(settings, is_migrating=True):
        print("the schema is up to date")


async def _check(settings: Settings) -> None:
    async with open_parts(settings):
        pass


def _configure(settings: Settings, app: Litestar) -> uvicorn.Config:
    return uvicorn.Config(app, **_options(settings))


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "access_log": False,  # Addresses of pages hold portal domains; events are counted in the metrics.
        "log_config": None,
        "proxy_headers": False,  # TRUSTED_PROXIES decides, in app.web.source.
        "server_header": False,
        "timeout_graceful_shutdown": GRACE_S,
    }
