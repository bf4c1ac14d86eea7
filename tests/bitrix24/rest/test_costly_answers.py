"""Answers that are almost only framing: their cost stays in proportion to the bytes of their bodies."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path

import httpx
import pytest

from app.bitrix24.errors import Unreachable
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.meter import FREE_CHUNKS, FREE_SMALL_READS, LEAST_CHUNK_BYTES, MAX_HEAD_LINES
from app.bitrix24.transport.network import open_http_client
from app.bitrix24.transport.sockets import GATHER_S
from app.bitrix24.transport.transfer import Reply, transfer
from app.settings import PRIVATE_NETWORKS
from tests.bitrix24.transport.test_tls import certificate_of

POLICY = AddressPolicy([], allow_http=True, private=PRIVATE_NETWORKS)
MIB = 1024 * 1024
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
END = b"0\r\n\r\n"
HONEST = CHUNKED + b"\r\n" + (b"2000\r\n" + b" " * 8192 + b"\r\n") * 128 + END
COSTLY = {
    "chunks of one byte": CHUNKED + b"\r\n" + b"1\r\nx\r\n" * MIB,
    "chunks with long extensions": CHUNKED + b"\r\n" + (b"1;" + b"a" * 15_000 + b"\r\nx\r\n") * 500,
    "100 Continue for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
    "countless headers": CHUNKED + b"a:\r\n" * 100_000,
    "a header folded for ever": CHUNKED + b"a: b\r\n" + b" \r\n" * 100_000,
    "an endless header": CHUNKED + b"a: " + b"b" * MIB,
    "countless trailers": CHUNKED + b"\r\n1\r\nx\r\n0\r\n" + b"a:\r\n" * 100_000,
    "an endless trailer": CHUNKED + b"\r\n1\r\nx\r\n0\r\na: " + b"b" * MIB,
}
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serve(
    answer: Answer, tls: ssl.SSLContext | None = None, *, is_lasting: bool = False
) -> AsyncIterator[str]:
    """A server that reads a request and writes at will, once for each connection unless `is_lasting`."""
    connections: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
            while is_lasting:
                await reader.readuntil(b"\r\n\r\n")
                await answer(writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(converse(reader, writer)))

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await asyncio.gather(*connections)


def writing(wire: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(wire)
        await writer.drain()

    return answer


async def get(http: httpx.AsyncClient, url: str) -> Reply:
    return await transfer(http, http.build_request("GET", url), limit=MIB, total_s=10)


async def measure(url: str) -> tuple[Reply | Unreachable, float, float]:
    """The answer, its seconds of CPU, and the most of them in one turn of the loop."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = time.process_time()
        while True:
            await asyncio.sleep(0)
            longest, last = max(longest, time.process_time() - last), time.process_time()

    async with open_http_client(POLICY, "portals", tls=ssl.create_default_context()) as http:
        watching = asyncio.create_task(watch())
        begun = time.process_time()
        try:
            reply: Reply | Unreachable = await get(http, url)
        except Unreachable as error:
            reply = error
        spent_s = time.process_time() - begun
        watching.cancel()
    return reply, spent_s, longest


@pytest.mark.parametrize("kind", COSTLY)
async def test_no_answer_costs_much_more_than_an_honest_one_of_a_mebibyte(kind: str) -> None:
    async with serve(writing(HONEST)) as host:
        honest, honest_s, honest_turn_s = await measure(f"http://{host}")
    assert isinstance(honest, Reply)
    assert len(honest.body) == MIB
    async with serve(writing(COSTLY[kind])) as host:
        reply, spent_s, turn_s = await measure(f"http://{host}")
    assert isinstance(reply, Unreachable)
    assert spent_s < 5 * honest_s
    assert turn_s < 20 * honest_turn_s


@pytest.mark.parametrize(
    "wire",
    [
        CHUNKED + b"\r\n" + b"1\r\nx\r\n" * FREE_CHUNKS + END,
        CHUNKED + b"\r\n" + (b"200\r\n" + b"x" * LEAST_CHUNK_BYTES + b"\r\n") * 2_048 + END,
        CHUNKED + b"a: b\r\n" * (MAX_HEAD_LINES - 10) + b"\r\n2\r\nok\r\n" + END,
        CHUNKED + b"a: " + b"b" * 12_000 + b"\r\n\r\n2\r\nok\r\n" + END,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + CHUNKED + b"\r\n2\r\nok\r\n0\r\na: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"\n" * MIB,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_an_odd_but_honest_answer_is_read(wire: bytes) -> None:
    async with serve(writing(wire)) as host:
        reply, _, _ = await measure(f"http://{host}")
    assert isinstance(reply, Reply)
    assert reply.body


async def drip(writer: asyncio.StreamWriter) -> None:
    """3,000 bytes, each in a segment or a record of TLS of its own."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3000\r\n\r\n")
    for _ in range(3_000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0)


async def test_bytes_that_come_one_by_one_are_gathered() -> None:
    async with (
        serve(drip) as host,
        open_http_client(POLICY, "portals") as http,
        http.stream("GET", f"http://{host}") as response,
    ):
        pieces = [len(piece) async for piece in response.aiter_raw()]
    assert sum(pieces) == 3_000
    assert len(pieces) < 2 * FREE_SMALL_READS


GATHERED = 5  # So many reads of ours are looked at after the free ones.


async def test_records_of_tls_of_one_byte_wake_nobody_more_often(tmp_path: Path) -> None:
    """Each read after the free ones comes a pause later, however busy the machine is."""
    certificate = certificate_of("localhost", tmp_path / "certificate.pem")
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)
    tls = ssl.create_default_context(cafile=str(certificate))
    pieces = 0
    async with serve(drip, server_tls) as host, open_http_client(POLICY, "portals", tls=tls) as http:
        url = f"https://{host.replace('127.0.0.1', 'localhost')}"
        began_at = asyncio.get_running_loop().time()
        async with http.stream("GET", url) as response:
            async for _ in response.aiter_raw():
                pieces += 1
                if pieces == FREE_SMALL_READS + GATHERED:
                    break
        took_s = asyncio.get_running_loop().time() - began_at
    assert took_s >= (GATHERED - 1) * GATHER_S


@pytest.mark.parametrize(("tickets", "is_read"), [(2, True), (5_000, False)])
async def test_tls_that_speaks_for_itself_is_not_listened_to(
    tmp_path: Path, tickets: int, *, is_read: bool
) -> None:
    certificate = certificate_of("localhost", tmp_path / "certificate.pem")
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)
    server_tls.num_tickets = tickets
    tls = ssl.create_default_context(cafile=str(certificate))
    refused = pytest.raises(Unreachable, match="too much beside")
    async with (
        serve(writing(HONEST), server_tls) as host,
        open_http_client(POLICY, "portals", tls=tls) as http,
    ):
        with nullcontext() if is_read else refused:
            assert len((await get(http, f"https://{host.replace('127.0.0.1', 'localhost')}")).body) == MIB


async def test_one_connection_serves_many_answers_each_with_its_own_allowance() -> None:
    answers = 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        answers += 1
        await writing(CHUNKED + b"\r\n" + b"1\r\nx\r\n" * (FREE_CHUNKS - 10) + END)(writer)

    connections = set()
    async with serve(answer, is_lasting=True) as host, open_http_client(POLICY, "portals") as http:
        for _ in range(3):
            response = await http.get(f"http://{host}")
            assert len(response.content) == FREE_CHUNKS - 10
            connections.add(response.extensions["network_stream"])
    assert answers == 3
    assert len(connections) == 1
