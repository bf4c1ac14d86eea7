"""The one ASGI callable in front of all origins: it records every request, and loses answers on demand."""

import asyncio
from collections.abc import Coroutine, MutableMapping
from typing import Any, cast

from litestar.types import ASGIApp, HTTPRequestEvent, HTTPScope, Message, Receive, Send

from app.demo.answers import LOST
from app.demo.core.listener import TRANSPORT
from app.demo.core.world import Portal, ReceivedRequest, World


class Front:
    """Tells the origins apart by port, records every request, and loses answers on demand."""

    def __init__(self, stand_in: World[Portal], authorization_app: ASGIApp, portal_app: ASGIApp) -> None:
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
        """Send until the caller gives up, because a hostile answer may have no end."""
        tasks = [asyncio.ensure_future(sending), asyncio.ensure_future(self._wait_for_disconnect(receive))]
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait_for_disconnect(self, receive: Receive) -> None:
        """Return when the caller gives up or the stand-in closes."""
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
