"""The processes: everything in one, or web, scheduler and migration by themselves (Procfile)."""

import asyncio
import signal
import socket
import sys
from types import FrameType
from typing import Any

import structlog
import uvicorn
from litestar import Litestar
from uvicorn.supervisors import Multiprocess

from app.asgi import create_app
from app.kit.file_limit import raise_file_limit
from app.scheduler import run_scheduler
from app.settings import Settings
from app.wiring import open_parts

log = structlog.get_logger(__name__)
GRACE_S = 10
UNREAD_S = 60.0  # A recording or an export waits equally long for a client that does not read.


class Server(uvicorn.Server):
    """A server whose process ends with exit code 0 on a signal, because stopping on demand is no failure."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  uvicorn's signature.
        """Stop. uvicorn's own handler would raise the signal again once everything is closed."""
        self.force_exit = self.force_exit or (self.should_exit and sig == signal.SIGINT)
        self.should_exit = True


def serve(settings: Settings) -> None:
    """Migrate, then run web and scheduler in this process: the embedded default."""
    asyncio.run(_check(settings, is_migrating=True))
    _run(settings, create_app(settings, is_scheduling=True, is_alone=True))


def web(settings: Settings) -> None:
    """Answer requests in WEB_WORKERS processes; raises SchemaOutdatedError before it listens."""
    asyncio.run(_check(settings))
    if settings.web_workers == 1:
        _run(settings, create_app(settings, is_alone=True))
        return
    config = uvicorn.Config(
        "app.asgi:from_environment", factory=True, workers=settings.web_workers, **_options(settings)
    )
    Multiprocess(config, sockets=[_bind(config)]).run()


async def schedule(settings: Settings) -> None:
    """Run the jobs until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_parts(settings) as parts, run_scheduler(parts):
        log.info("scheduler started")
        await stop.wait()


async def migrate(settings: Settings) -> None:
    """Bring the schema up to date."""
    await _check(settings, is_migrating=True)
    print("the schema is up to date")


async def _check(settings: Settings, *, is_migrating: bool = False) -> None:
    """Open and close all parts once, so that any fault is told in one line before the server listens."""
    async with open_parts(settings, is_migrating=is_migrating):
        pass


def _run(settings: Settings, app: Litestar) -> None:
    config = uvicorn.Config(app, **_options(settings))
    Server(config).run(sockets=[_bind(config)])


def _bind(config: uvicorn.Config) -> socket.socket:
    raise_file_limit()
    listener = config.bind_socket()
    limit_unread(listener, UNREAD_S)
    return listener


def limit_unread(listener: socket.socket, seconds: float) -> None:
    """Let the system end a connection whose client has taken none of the sent bytes for `seconds`; Linux
    only.

    Else a client that vanishes would hold a connection for a quarter of an hour, and one that stays and does
    not read would hold it for ever, even after the application has given the answer up.
    """
    if sys.platform == "linux":  # Accepted connections inherit it from the listening socket.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "app.commands.connections:GuardedProtocol",
        "ws": "none",
        "access_log": False,  # Addresses of pages hold portal domains; events are counted in the metrics.
        "log_config": None,
        "proxy_headers": False,  # TRUSTED_PROXIES decides, in app.web.http.client_address.
        "server_header": False,
        "timeout_graceful_shutdown": GRACE_S,
    }
