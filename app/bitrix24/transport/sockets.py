"""Connections for the pool of `network`. No server decides how often they wake this process.

httpcore's own streams would pass each byte on as it comes, and would leave a socket open when a TLS handshake
is cancelled.
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
    """A stream that waits before each read once too many small pieces have come, so that more bytes
    gather.
    """

    def __init__(self, inner: ByteStream, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter
        self._is_gathering = False

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        """The next bytes; raises the errors of the inner stream."""
        if self._is_gathering:
            await asyncio.sleep(GATHER_S)
        data = await self._inner.receive(max_bytes)
        self._is_gathering = self._meter.note_piece(len(data))
        return data

    async def send(self, item: bytes) -> None:
        """Send all bytes."""
        await self._inner.send(item)

    async def send_eof(self) -> None:
        """Tell the other side that nothing more is sent."""
        await self._inner.send_eof()

    async def aclose(self) -> None:
        """Close it at once."""
        await self._inner.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The attributes of the inner stream."""
        return self._inner.extra_attributes


class Connection(httpcore.AsyncNetworkStream):
    """A connection and the meter of the answers that come over it."""

    def __init__(self, stream: ByteStream, meter: Meter) -> None:
        self._stream = stream
        self.meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's.
        """The next bytes; empty at the end. Raises Unreachable for an answer that is too much work."""
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
        """Close it at once, without TLS's closing message."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  As above.
    ) -> "Connection":
        """The same connection, encrypted; it is closed when the handshake fails or is cancelled."""
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
        """The value of `ssl_object` or `is_readable`, which the pool uses; None for any other name."""
        if info == "ssl_object":
            return self._stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610  anyio's, not Django's.
        if info == "is_readable":
            raw = self._stream.extra(SocketAttribute.raw_socket, None)  # noqa: S610  As above.
            return _is_readable(raw)
        return None


class GatheringBackend(httpcore.AsyncNetworkBackend):
    """Opens connections that have a meter."""

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
    """Whether the connection has ended: between two requests there is nothing else to read."""
    if raw is None or raw.fileno() < 0:
        return True
    with _Selector() as selector:
        selector.register(raw, selectors.EVENT_READ)
        return bool(selector.select(0))


@contextmanager
def _told_as(timeout: type[Exception], other: type[Exception]) -> Iterator[None]:
    """Turn errors of a connection into httpcore's: a time-out into `timeout`, any other into `other`."""
    try:
        yield
    except TimeoutError:
        raise timeout from None
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
        raise other(str(error)) from error  # An error of TLS is an OSError.
