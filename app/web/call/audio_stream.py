"""The answer that carries a recording: the whole of it, or 206 with the range that the listener asked for,
chunk by chunk at the listener's pace. Plain ASGI, because the framework's streams know no ranges, and do not
notice a listener that leaves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress

import structlog
from litestar.types import Receive, Scope, Send

from app.bitrix24.errors import Unreachable
from app.calls.log.recordings import Playback
from app.kit.byte_ranges import UnsatisfiableError
from app.kit.messages.errors import Refusal
from app.kit.storage.database import DATABASE_ERRORS
from app.web.http.security import data_headers

log = structlog.get_logger(__name__)
STALL_S = 60.0
RECHECK_S = 5.0
LONGEST_S = 600.0  # The life of a link: the player of a longer recording asks for another link.
Headers = list[tuple[bytes, bytes]]


class AudioAnswer:
    """One answer with a recording, as an ASGI application.

    `open_playback` raises a Refusal if there is nothing to send, `recheck` if the listener may hear no more.
    """

    def __init__(
        self,
        slot: Callable[[], AbstractContextManager[None]],
        open_playback: Callable[[], Awaitable[Playback]],
        recheck: Callable[[], Awaitable[object]],
    ) -> None:
        self._slot = slot
        self._open_playback = open_playback
        self._recheck = recheck

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer. When the listener leaves, the answer and the request to the portal end at once."""
        sending = asyncio.create_task(self._send(scope, send))
        leaving = asyncio.create_task(_wait_for_leaving(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait({sending, leaving})
        if not sending.cancelled() and (failure := sending.exception()) is not None:
            raise failure

    async def _send(self, scope: Scope, send: Send) -> None:
        with self._slot():
            try:
                playback = await self._open_playback()
            except UnsatisfiableError as error:
                await _send_unsatisfiable(error.total, send)
                return
            try:
                await _send_head(playback, send)
                if scope.get("method") == "HEAD":
                    await _send_body(send, b"", is_last=True)
                else:
                    await self._send_chunks(playback, send)
            finally:
                await playback.close()

    async def _send_chunks(self, playback: Playback, send: Send) -> None:
        """Send the chunks and the end of the answer. After a failure on the way the end is not sent, because
        an answer that has begun cannot become an error. The listener notices the failure by the length or the
        encoding.
        """
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._pass_on(playback, send)
        except (Unreachable, Refusal, *DATABASE_ERRORS) as error:  # DATABASE_ERRORS has TimeoutError.
            log.info("recording cut off", reason=type(error).__name__)
            return
        await _send_body(send, b"", is_last=True)

    async def _pass_on(self, playback: Playback, send: Send) -> None:
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        async for chunk in playback.read():
            async with asyncio.timeout(STALL_S):
                await _send_body(send, chunk)
            if loop.time() - checked_at >= RECHECK_S:
                await self._recheck()
                checked_at = loop.time()


async def _wait_for_leaving(receive: Receive) -> None:
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass


async def _send_head(playback: Playback, send: Send) -> None:
    headers = [
        *_base_headers(),
        (b"content-type", playback.media_type.encode()),
        (b"accept-ranges", b"bytes"),
    ]
    status = 200
    if playback.span is not None:
        headers.append((b"content-length", str(playback.span.length).encode()))
        if playback.is_part:
            headers.append((b"content-range", playback.span.header.encode()))
            status = 206
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _send_unsatisfiable(total: int, send: Send) -> None:
    headers = [*_base_headers(), (b"content-range", f"bytes */{total}".encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 416, "headers": headers})
    await _send_body(send, b"", is_last=True)


async def _send_body(send: Send, body: bytes, *, is_last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})


def _base_headers() -> Headers:
    """The headers of data: nothing in a recording may run as a page, and no cache keeps it."""
    return [(name.lower().encode(), value.encode()) for name, value in data_headers().items()]
