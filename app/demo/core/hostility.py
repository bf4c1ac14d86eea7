"""Portals whose owners mean harm: answers that are slow, endless, huge, full of lies, or sent byte by byte.

`portal.hostility = HOSTILITIES["dripping"]` from any moment on; None is an honest portal again. What is wrong
with an answer is told in three steps, which go together as one likes: `lies` change what a method says, also
inside a batch; `spoil` changes the bytes of the whole answer; `deliver` decides how and when they are sent.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from litestar.types import HTTPResponseStartEvent, Send

from app.demo.core.faults import Lie

SLOW_S = 20.0  # Long, and less than the time-out of whoever asks.
HUGE_ELEMENTS = 5_000_000  # `[],` each: 15 MiB.
BLANKS = b" " * 16_384  # JSON allows them anywhere between its signs, without end.

Spoil = Callable[[bytes], bytes]
Deliver = Callable[[bytes], AsyncIterator[bytes]]


def keep(body: bytes) -> bytes:
    """The answer as it is."""
    return body


def swell(_: bytes) -> bytes:
    """A result of millions of empty lists: three bytes each to send, and twenty times that to hold."""
    return b'{"result":[' + b"[]," * HUGE_ELEMENTS + b"[]]}"


def confuse_times(body: bytes) -> bytes:
    """Times that are no numbers, which decide how long whoever asks will rest."""
    answer = json.loads(body)
    answer["time"] = {"start": "nan", "finish": 1e308, "duration": "nan", "operating": "-inf"}
    return json.dumps(answer | {"next": 10**18, "total": -1}).encode()


async def at_once(body: bytes) -> AsyncIterator[bytes]:
    """In one piece."""
    yield body


async def slowly(body: bytes) -> AsyncIterator[bytes]:
    """Late."""
    await asyncio.sleep(SLOW_S)
    yield body


async def never(_: bytes) -> AsyncIterator[bytes]:
    """Headers, and then silence until the other side gives up."""
    yield b" "
    await asyncio.Event().wait()


async def dripping(body: bytes) -> AsyncIterator[bytes]:
    """Each byte as a chunk of its own, as fast as they go."""
    for number in range(len(body)):
        yield body[number : number + 1]
        await asyncio.sleep(0)


async def unending(_: bytes) -> AsyncIterator[bytes]:
    """Blanks before a value that never comes."""
    while True:
        yield BLANKS
        await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Hostility:
    """How a portal answers; each part alone, or together with others."""

    lies: tuple[Lie, ...] = ()
    spoil: Spoil = keep
    deliver: Deliver = at_once
    redirect_to: str | None = None  # An origin: every request is sent on to another portal.

    async def send(self, path: str, held: list[Any], send: Send) -> None:
        """Send an answer that an honest portal would have sent as `held`, its ASGI messages."""
        start: dict[str, Any] = dict(held[0])
        body = b"".join(bytes(message.get("body", b"")) for message in held[1:])
        headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        if self.redirect_to is not None:
            headers.append((b"location", f"{self.redirect_to}{path}".encode()))
            start["status"] = 302
        elif self.spoil is not keep and start["status"] == 200:  # noqa: PLR2004
            body = self.spoil(body)
        start["headers"] = headers
        await send(cast("HTTPResponseStartEvent", start))
        async for chunk in self.deliver(body):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def towards(self, origin: str) -> "Hostility":
        """The same, and every request is sent on to that origin."""
        return replace(self, redirect_to=origin)
