"""A server of recordings that behaves as a test writes it, byte by byte, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Behave = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request to the server: its head, and the means to write the answer."""

    def __init__(self, head: str, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.writer = writer
        self.written = 0
        self.is_over = asyncio.Event()

    @property
    def range(self) -> str | None:
        lines = [line for line in self.head.split("\r\n") if line.lower().startswith("range:")]
        return lines[0].partition(":")[2].strip() if lines else None

    async def answer(self, status: str, body: bytes = b"", **headers: str) -> None:
        """Send a head, and as much of the body as the other side takes."""
        lines = [f"HTTP/1.1 {status}", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        self.writer.write(("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode())
        for start in range(0, len(body), 65_536):
            self.writer.write(body[start : start + 65_536])
            await self.writer.drain()
            self.written += len(body[start : start + 65_536])
        await self.writer.drain()


class Source:
    """The server; `exchanges` are the requests that came."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.behave: Behave = lambda exchange: exchange.answer("404 Not Found", Content_Length="0")
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/record?secret=of-the-address"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        exchange = Exchange(head, writer)
        self.exchanges.append(exchange)
        with suppress(OSError, asyncio.CancelledError):
            await self.behave(exchange)
        exchange.is_over.set()
        writer.close()


@asynccontextmanager
async def serve_source() -> AsyncIterator[Source]:
    source = Source()
    server = await asyncio.start_server(source.handle, "127.0.0.1", 0)
    source.port = server.sockets[0].getsockname()[1]
    try:
        yield source
    finally:
        server.close()
