"""A download with a slowest pace: if its client does not read, the connection is cut and the place is free
for others.

An export under way holds one of the few places of the whole process, so a client that stops reading must not
keep it from other portals.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, cast

from litestar.response import Stream
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Message, Receive, Scope, Send

from app.kit.deadlines import move_limit

STALL_S = 60.0  # A recording waits as long for its listener.
LONGEST_S = 1_200.0  # Reading takes at most ten minutes (decision 0021), and sending may take ten more.


class PacedStream(Stream):
    """A stream that is cut off if its client does not take the next piece, or the whole, in time."""

    def to_asgi_response(self, *args: Any, **options: Any) -> ASGIResponse:  # noqa: ANN401  As Litestar has it.
        """The answer as a PacedAnswer. Litestar only calls it, so it needs no other base class."""
        answer = cast("ASGIStreamingResponse", super().to_asgi_response(*args, **options))
        return cast("ASGIResponse", PacedAnswer(answer))


class PacedAnswer:
    """Sends an answer in at most `stall_s` for each piece and `longest_s` in all. An answer that takes longer
    is cut off and has no end.
    """

    def __init__(
        self, answer: ASGIStreamingResponse, stall_s: float = STALL_S, longest_s: float = LONGEST_S
    ) -> None:
        self._answer = answer
        self._stall_s, self._longest_s = stall_s, longest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; in any case close the iterator that makes it."""
        try:
            with suppress(TimeoutError):
                await self._send(scope, receive, send)
        finally:
            if isinstance(self._answer.iterator, AsyncGenerator):
                await self._answer.iterator.aclose()

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._longest_s
        async with asyncio.timeout_at(end) as limit:

            async def send_in_time(message: Message) -> None:
                move_limit(limit, min(end, loop.time() + self._stall_s))
                await send(message)
                move_limit(limit, end)

            await self._answer(scope, receive, send_in_time)
