"""Real sockets: one uvicorn server per origin, all in front of one ASGI callable."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from litestar.types import ASGIApp, HTTPRequestEvent, HTTPScope, Message, Receive, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.demo.answers import LOST

if TYPE_CHECKING:
    from app.demo.stand_in import StandIn

TRANSPORT = "stand_in.transport"
STOP_TIMEOUT_S = 1

AnyApp = Callable[..., Any]
"""An ASGI callable; uvicorn and Litestar each have a type of their own for it."""


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived; `member_id` is None at the authorization server."""

    at: int
    port: int
    member_id: str | None
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def text(self) -> str:
        """Everything that was sent, to search in."""
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers)
        return f"{self.method} {self.path}?{self.query}\n{headers}\n\n{self.body}"


class Front:
    """Tells the origins apart by port, records every request, and loses answers when told to."""

    def __init__(self, stand_in: "StandIn", authorization_app: ASGIApp, portal_app: ASGIApp) -> None:
        self._stand_in = stand_in
        self._authorization_app = authorization_app
        self._portal_app = portal_app

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await _read_body(receive)
        marks: dict[str, Any] = {}
        loose: MutableMapping[str, Any] = scope  # type: ignore[assignment]
        loose[LOST] = marks
        self._record(scope, body)
        held: list[Message] = []

        async def replay() -> HTTPRequestEvent:
            return {"type": "http.request", "body": body, "more_body": False}

        async def hold_back(message: Message) -> None:
            held.append(message)

        await self._choose_app(scope)(scope, replay, hold_back)
        if "mode" in marks:
            await self._break(marks["mode"], loose[TRANSPORT], held, receive, send)
            return
        portal = self._stand_in.portal_of_port(_port(scope))
        if portal is not None and portal.hostility is not None:
            await self._until_disconnect(receive, portal.hostility.send(scope["path"], held, send))
            return
        for message in held:
            await send(message)

    def _choose_app(self, scope: HTTPScope) -> ASGIApp:
        is_authorization = _port(scope) == self._stand_in.state.oauth_port
        return self._authorization_app if is_authorization else self._portal_app

    async def _break(
        self, mode: str, transport: asyncio.Transport, held: list[Message], receive: Receive, send: Send
    ) -> None:
        """End the connection without an answer, or after the first half of it."""
        if mode == "half":
            start, body = held[:2]
            await send(start)
            text = bytes(cast("dict[str, Any]", body)["body"])
            await send({"type": "http.response.body", "body": text[: len(text) // 2], "more_body": True})
            transport.close()
        else:
            if mode == "timeout":
                await self._wait_for_disconnect(receive)
            transport.abort()
        await asyncio.sleep(0)

    async def _until_disconnect(self, receive: Receive, sending: Coroutine[Any, Any, None]) -> None:
        """Send until the caller has given up: an answer may have no end of its own."""
        tasks = [asyncio.ensure_future(sending), asyncio.ensure_future(self._wait_for_disconnect(receive))]
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait_for_disconnect(self, receive: Receive) -> None:
        """Return when the caller has given up or the stand-in closes."""
        waits = [asyncio.ensure_future(receive()), asyncio.ensure_future(self._stand_in.closing.wait())]
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()

    def _record(self, scope: HTTPScope, body: bytes) -> None:
        portal = self._stand_in.portal_of_port(_port(scope))
        self._stand_in.requests.append(
            ReceivedRequest(
                at=self._stand_in.clock.now(),
                port=_port(scope),
                member_id=portal.member_id if portal else None,
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"].decode("latin-1"),
                headers=tuple(
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
                ),
                body=body.decode("utf-8", "replace"),
            )
        )


def _port(scope: HTTPScope) -> int:
    server = scope["server"]
    return int(server[1] or 0) if server else 0


async def _read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message: Any = await receive()
        body += bytes(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return body


class AbortableProtocol(H11Protocol):
    """HTTP/1.1 that hands its transport to the app, so that a connection can be cut without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the app so that its scope knows the transport."""
        super().connection_made(transport)
        inner: Any = self.app

        async def with_transport(scope: MutableMapping[str, object], receive: object, send: object) -> None:
            scope[TRANSPORT] = transport
            await inner(scope, receive, send)

        self.app = with_transport


class Listener:
    """One running server on one port, without uvicorn's signal handling and its tenths of a second."""

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
    """Serve an ASGI app on 127.0.0.1; a free port when none is given or it is taken."""
    listener = Listener(app, _bind(port))
    await listener.start()
    return listener


def _bind(port: int) -> socket.socket:
    # Named TCP, or asyncio leaves Nagle's algorithm on and every answer in two parts waits 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.bind(("127.0.0.1", 0))
    return bound
