"""Connections as the pool of `network` uses them, on which no server decides how often we wake up.

httpcore's own streams would pass each byte on as it comes, and leave a socket open when a TLS handshake is
given up from outside.
"""

import asyncio
import selectors
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
import httpcore
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream

from app.bitrix24.transport.meter import Meter

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # Windows has no poll.
GATHER_S = 0.05  # Twenty small reads a second are 2 ‰ of a core.


class GatheringStream(ByteStream):
    """A stream whose small pieces, once they are many, are left to gather before they are read."""

    def __init__(self, inner: ByteStream, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter
        self._is_gathering = False

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        """The next bytes; raises what the stream inside raises."""
        if self._is_gathering:
            await asyncio.sleep(GATHER_S)
        data = await self._inner.receive(max_bytes)
        self._is_gathering = self._meter.note_piece(len(data))
        return data

    async def send(self, item: bytes) -> None:
        """Send it all."""
        await self._inner.send(item)

    async def send_eof(self) -> None:
        """Say that nothing more is sent."""
        await self._inner.send_eof()

    async def aclose(self) -> None:
        """Close it at once."""
        await self._inner.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of the stream inside."""
        return self._inner.extra_attributes


class Connection(httpcore.AsyncNetworkStream):
    """A connection and the meter of the answers that come over it."""

    def __init__(self, stream: ByteStream, meter: Meter) -> None:
        self._stream = stream
        self.meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's.
        """The next bytes, nothing at the end; raises Unreachable for an answer that is too much work."""
        most = min(max_bytes, self.meter.next_read())
        with _told_as(httpcore.ReadTimeout, httpcore.ReadError), anyio.fail_after(timeout):
            try:
                data = await self._stream.receive(most)
            except anyio.EndOfStream:
                return b""
        self.meter.note_read(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  As above.
        """Send a part of a request."""
        if buffer:
            self.meter.begin()
            with _told_as(httpcore.WriteTimeout, httpcore.WriteError), anyio.fail_after(timeout):
                await self._stream.send(buffer)

    async def aclose(self) -> None:
        """Close it at once, without a word of TLS."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  As above.
    ) -> "Connection":
        """The same connection, encrypted; closed when that fails or is given up."""
        try:
            with _told_as(httpcore.ConnectTimeout, httpcore.ConnectError), anyio.fail_after(timeout):
                stream = await TLSStream.wrap(
                    self._stream,
                    server_side=False,
                    hostname=server_hostname,
                    ssl_context=ssl_context,
                    standard_compatible=False,
                )
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise
        return Connection(GatheringStream(stream, self.meter), self.meter)

    def get_extra_info(self, info: str) -> object:
        """What the pool asks for: `ssl_object` or `is_readable`; None for anything else."""
        if info == "ssl_object":
            return self._stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610  No database's.
        if info == "is_readable":
            raw = self._stream.extra(SocketAttribute.raw_socket, None)  # noqa: S610  As above.
            return _is_readable(raw)
        return None


class GatheringBackend(httpcore.AsyncNetworkBackend):
    """Opens such connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  As above.
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  httpx gives none.
    ) -> Connection:
        """Connect to an address."""
        with _told_as(httpcore.ConnectTimeout, httpcore.ConnectError), anyio.fail_after(timeout):
            stream = await anyio.connect_tcp(host, port, local_host=local_address)
        meter = Meter()
        return Connection(GatheringStream(stream, meter), meter)

    async def sleep(self, seconds: float) -> None:
        """Wait between the pool's own attempts."""
        await asyncio.sleep(seconds)


def _is_readable(raw: socket.socket | None) -> bool:
    """Whether there is something to read, which on a connection between two requests is its end."""
    if raw is None or raw.fileno() < 0:
        return True
    with _Selector() as selector:
        selector.register(raw, selectors.EVENT_READ)
        return bool(selector.select(0))


@contextmanager
def _told_as(timeout: type[Exception], other: type[Exception]) -> Iterator[None]:
    """What can happen to a connection, in httpcore's words."""
    try:
        yield
    except TimeoutError:
        raise timeout from None
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
        raise other(str(error)) from error  # An error of TLS is an OSError.
