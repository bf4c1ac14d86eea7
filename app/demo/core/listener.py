"""Real sockets: one uvicorn server for each origin."""

import asyncio
import socket
from collections.abc import Callable, MutableMapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

TRANSPORT = "stand_in.transport"
STOP_TIMEOUT_S = 1

AnyApp = Callable[..., Any]
"""An ASGI callable; uvicorn and Litestar each have a type of their own for it."""


class AbortableProtocol(H11Protocol):
    """HTTP/1.1 that hands its transport to the app, so that the app can cut a connection without an
    answer.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the app so that its scope holds the transport."""
        super().connection_made(transport)
        inner: Any = self.app

        async def with_transport(scope: MutableMapping[str, object], receive: object, send: object) -> None:
            scope[TRANSPORT] = transport
            await inner(scope, receive, send)

        self.app = with_transport


class Listener:
    """One running server on one port, without uvicorn's signal handling and its waits of a tenth of
    a second.
    """

    def __init__(self, app: AnyApp, bound: socket.socket) -> None:
        self.port: int = bound.getsockname()[1]
        self._bound = bound
        config = uvicorn.Config(
            app,
            http=AbortableProtocol,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)

    async def start(self) -> None:
        """Accept connections."""
        await self._server.startup(sockets=[self._bound])

    async def stop(self) -> None:
        """Stop accepting, let running requests finish for a moment, close every connection."""
        for server in self._server.servers:
            server.close()
        state = self._server.server_state
        for connection in list(state.connections):
            connection.shutdown()
        if state.tasks:
            await asyncio.wait(list(state.tasks), timeout=STOP_TIMEOUT_S)
        for task in list(state.tasks):
            task.cancel()
        while state.connections:
            for connection in list(state.connections):
                if connection.transport is not None:
                    connection.transport.abort()
            await asyncio.sleep(0)


async def listen(app: AnyApp, port: int = 0) -> Listener:
    """Serve an ASGI app on 127.0.0.1, on a free port when none is given or it is taken."""
    listener = Listener(app, _bind(port))
    await listener.start()
    return listener


def _bind(port: int) -> socket.socket:
    # TCP is named, because without its name asyncio leaves Nagle's algorithm on, and each answer in two parts
    # waits 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.bind(("127.0.0.1", 0))
    return bound
