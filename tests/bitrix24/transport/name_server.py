"""A DNS server on loopback, which answers, holds its answers back or stays silent, as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_HEADER_BYTES = 12
_TYPE_A = 1


class NameServer(asyncio.DatagramProtocol):
    """Answers 127.0.0.1 for each name that `answers` accepts; `asked` are the names of all questions."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.questions = 0
        self.address = ""
        self.answers: Callable[[str], bool] = lambda name: not name.endswith("silent.example")
        self._held: list[tuple[bytes, tuple[str, int]]] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, end = _read_name(data)
        self.asked.add(name)
        self.questions += 1
        if self.answers(name):
            self._answer(data, end, addr)
        else:
            self._held.append((data, addr))

    def answer_all(self) -> None:
        """Send all answers that were held back."""
        for data, addr in self._held:
            self._answer(data, _read_name(data)[1], addr)
        self._held.clear()

    def _answer(self, question: bytes, end: int, addr: tuple[str, int]) -> None:
        kind = int.from_bytes(question[end : end + 2])
        records = [b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01"] * (kind == _TYPE_A)
        counts = b"\x00\x01" + len(records).to_bytes(2) + b"\x00\x00\x00\x00"
        head = question[:2] + b"\x81\x80" + counts
        self._transport.sendto(head + question[_HEADER_BYTES : end + 4] + b"".join(records), addr)


def _read_name(question: bytes) -> tuple[str, int]:
    labels, at = [], _HEADER_BYTES
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), at + 1


@asynccontextmanager
async def serve_names() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
