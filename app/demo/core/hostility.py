"""Hostile portals: their answers are slow, endless, huge, full of lies, or sent byte by byte.

`portal.hostility = HOSTILITIES["dripping"]` makes a portal hostile from any moment on; None makes it honest
again. A hostility has three parts, in any combination: `lies` change the answers of methods, also inside a
batch; `spoil` changes the bytes of the whole answer; `deliver` decides how and when they are sent.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from litestar.types import HTTPResponseStartEvent, Send

from app.demo.core.faults import Lie

SLOW_S = 20.0  # Long, and less than the caller's time-out.
HUGE_ELEMENTS = 5_000_000  # Each is `[],`, so together they are 15 MB.
BLANKS = b" " * 16_384  # JSON allows any number of them between its tokens.

Spoil = Callable[[bytes], bytes]
Deliver = Callable[[bytes], AsyncIterator[bytes]]


def keep(body: bytes) -> bytes:
    """The answer, unchanged."""
    return body


def swell(_: bytes) -> bytes:
    """A result of millions of empty lists: each takes three bytes on the wire and twenty times that
    in memory.
    """
    return b'{"result":[' + b"[]," * HUGE_ELEMENTS + b"[]]}"


def confuse_times(body: bytes) -> bytes:
    """The answer with times that are no numbers; by these times a caller decides how long it rests."""
    answer = json.loads(body)
    answer["time"] = {"start": "nan", "finish": 1e308, "duration": "nan", "operating": "-inf"}
    return json.dumps(answer | {"next": 10**18, "total": -1}).encode()


async def at_once(body: bytes) -> AsyncIterator[bytes]:
    """Send the body in one piece."""
    yield body


async def slowly(body: bytes) -> AsyncIterator[bytes]:
    """Send the body after SLOW_S."""
    await asyncio.sleep(SLOW_S)
    yield body


async def never(_: bytes) -> AsyncIterator[bytes]:
    """Send the headers and one blank, then nothing until the caller gives up."""
    yield b" "
    await asyncio.Event().wait()


async def dripping(body: bytes) -> AsyncIterator[bytes]:
    """Send each byte as a chunk of its own, as fast as possible."""
    for number in range(len(body)):
        yield body[number : number + 1]
        await asyncio.sleep(0)


async def unending(_: bytes) -> AsyncIterator[bytes]:
    """Send blanks without end, before a value that never comes."""
    while True:
        yield BLANKS
        await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Hostility:
    """The way in which a hostile portal answers; its parts combine freely."""

    lies: tuple[Lie, ...] = ()
    spoil: Spoil = keep
    deliver: Deliver = at_once
    redirect_to: str | None = None  # The origin of another portal, to which every request is redirected.

    async def send(self, path: str, held: list[Any], send: Send) -> None:
        """Send the hostile form of an answer; `held` holds the ASGI messages of the honest one."""
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
        """The same hostility, which also redirects every request to that origin."""
        return replace(self, redirect_to=origin)
