"""Connections that send nothing neither stay nor hinder others."""

import asyncio
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvicorn

from app.commands import connections
from app.commands.connections import MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED, Connections, GuardedProtocol
from tests.load import Load
from tests.patience import PATIENCE_S
from tests.ports import free_port
from tests.processes import insert_sender, make_environment, run_process

FILES = 256
STALLED = 300
UNDER_A_SMALL_LIMIT = (
    f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}));"
    " sys.argv = ['app', 'serve']; runpy.run_module('app', run_name='__main__')"
)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: int, first: bytes = b"") -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    return reader, writer


async def read_to_the_end(connection: Connection) -> bytes:
    """All bytes until the other side ends the connection, by a reset too."""
    reader, writer = connection
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of files there")
async def test_stalled_connections_beyond_the_file_limit_refuse_no_event(sqlite_url: str) -> None:
    sender = await insert_sender(sqlite_url)
    port = free_port()
    with run_process(["-c", UNDER_A_SMALL_LIMIT], make_environment(sqlite_url, port), port):
        stalled = [await connect(port, b"POST /events HTTP/1.1\r\nHost: a\r\nX-") for _ in range(STALLED)]
        async with asyncio.timeout(PATIENCE_S):
            outcome = await Load(sender, connections=8, limit=400).run("127.0.0.1", port)
        for _, writer in stalled:
            writer.transport.abort()
    assert outcome.statuses == {200: 400}


class Room:
    """An application that reads each body except that of /unread, then holds the answers to /slow."""

    def __init__(self) -> None:
        self.is_reached, self.may_answer = asyncio.Event(), asyncio.Event()

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        while scope["path"] != "/unread" and (await receive()).get("more_body"):
            pass
        if scope["path"] == "/slow":
            self.is_reached.set()
            await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serve(room: Room) -> AsyncIterator[int]:
    port = free_port()
    config = uvicorn.Config(room, port=port, http=GuardedProtocol, lifespan="off", log_config=None, ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield port
    finally:
        await server.shutdown()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"GET / HT", b"HTTP/1.1 408"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"HTTP/1.1 408"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 408"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"HTTP/1.1 408"),
    ],
)
async def test_a_request_that_does_not_become_whole_is_told_so_and_cut_off(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, status: bytes
) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.2)
    async with serve(Room()) as port:
        assert (await read_to_the_end(await connect(port, sent)))[: len(status) or 1] == status


async def test_a_request_that_begins_where_an_answered_one_ends_is_not_kept_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first request is answered before its body has come; the second begins in the packet that ends this
    body.
    """
    monkeypatch.setattr(connections, "PATIENCE_S", 0.2)
    async with serve(Room()) as port:
        connection = await connect(port, b"POST /unread HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
        answer = await connection[0].readuntil(b"ok")
        connection[1].write(b"helloGET / HTTP/1.1\r\nX-")
        assert answer.startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(PATIENCE_S):
            assert await read_to_the_end(connection) == b""


async def test_dripping_headers_wins_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.2)
    async with serve(Room()) as port:
        reader, writer = await connect(port, b"GET / HTTP/1.1\r\nHost: a\r\nX-")
        ending = asyncio.ensure_future(reader.read())
        async with asyncio.timeout(PATIENCE_S):
            while not (await asyncio.wait({ending}, timeout=0.02))[0]:
                writer.write(b"a")
        assert ending.result().startswith(b"HTTP/1.1 408")
        writer.transport.abort()


async def test_a_client_that_waits_for_our_answer_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.2)
    room = Room()
    async with serve(room) as port:
        patient = await connect(port, b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await room.is_reached.wait()
        for _ in range(3):  # Several limits of patience pass.
            await read_to_the_end(await connect(port, b"GET / HT"))
        room.may_answer.set()
        assert (await read_to_the_end(patient)).endswith(b"ok")


async def test_a_head_without_end_is_refused() -> None:
    async with serve(Room()) as port:
        reader, writer = await connect(port, b"GET /" + b"a" * (MAX_HEAD_BYTES + 1))
        assert (await read_to_the_end((reader, writer))).startswith(b"HTTP/1.1 431")


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
LARGE = b"X-Large: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + LARGE,
        HEAD + b"X: a\r\n" * (MAX_HEAD_BYTES // 6) + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6000\r\n\r\n" + b"b" * 6000 + HEAD + LARGE,
        CHUNKED + LARGE,
    ],
    ids=["one header", "many headers", "a second request", "trailers"],
)
async def test_a_head_that_comes_whole_in_one_piece_is_bounded_too(sent: bytes) -> None:
    async with serve(Room()) as port:
        answer = await read_to_the_end(await connect(port, sent))
        assert b"HTTP/1.1 431" in answer


SMALL = b"a:\r\n"  # A header is counted when the next one begins.


@pytest.mark.parametrize("begin", [HEAD, CHUNKED], ids=["headers", "trailers"])
@pytest.mark.parametrize("end", [b"", b"\r\n"], ids=["left open", "whole"])
async def test_headers_and_trailers_are_counted(begin: bytes, end: bytes) -> None:
    async with serve(Room()) as port:
        answer = await read_to_the_end(await connect(port, begin + SMALL * (MAX_HEADERS + 1) + end))
        assert answer.startswith(b"HTTP/1.1 431")
        assert answer.count(b"HTTP/1.1") == 1


async def test_as_many_headers_as_may_be_are_answered() -> None:
    whole = HEAD + b"Connection: close\r\n" + SMALL * (MAX_HEADERS - 2) + b"\r\n"
    async with serve(Room()) as port:
        assert (await read_to_the_end(await connect(port, whole))).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("header", [SMALL, b"X-Some: " + b"a" * 300 + b"\r\n"], ids=["small", "large"])
async def test_an_open_head_takes_little_more_memory_than_its_bytes(header: bytes) -> None:
    """A header of four bytes once took 120."""
    everybody = 20
    async with serve(Room()) as port:
        await read_to_the_end(await connect(port, HEAD + b"Connection: close\r\n\r\n"))
        tracemalloc.start()
        try:
            opened = [await connect(port, HEAD) for _ in range(everybody)]
            before = tracemalloc.get_traced_memory()[0]
            for _, writer in opened:
                writer.write(header * ((MAX_HEAD_BYTES - len(HEAD)) // len(header)))
            # Read after all of theirs: the loop reads those that are ready in turn.
            await read_to_the_end(await connect(port, HEAD + b"Connection: close\r\n\r\n"))
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        for _, writer in opened:
            writer.transport.abort()
    assert grown < everybody * 4 * MAX_HEAD_BYTES


async def test_a_large_body_is_no_head() -> None:
    size = 4 * MAX_HEAD_BYTES
    head = f"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode()
    async with serve(Room()) as port:
        answer = await read_to_the_end(await connect(port, head + b"b" * size))
        assert answer.startswith(b"HTTP/1.1 200")


async def test_one_connection_does_not_queue_requests_without_end() -> None:
    room = Room()
    request = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
    async with serve(room) as port:
        connection = await connect(port, request * (MAX_PIPELINED + 2))
        assert (await read_to_the_end(connection)).startswith(b"HTTP/1.1 400")
        room.may_answer.set()


class Guest:
    """A connection of a network, which tells when it has ended."""

    def __init__(self, network: str, all_of_them: Connections) -> None:
        self.network = network
        self.loop = asyncio.get_running_loop()
        self.ended: str | None = None
        self._all = all_of_them
        all_of_them.join(cast("GuardedProtocol", self))

    def end(self, why: str) -> None:
        self.ended = why
        self._all.stop_waiting(cast("GuardedProtocol", self))
        self._all.leave(cast("GuardedProtocol", self))


async def test_a_network_beyond_its_share_makes_room_for_itself() -> None:
    everyone = Connections(places=8)
    honest = [Guest(f"network {number}", everyone) for number in range(4)]
    flood = [Guest("a hoster", everyone) for _ in range(20)]
    assert [guest.ended for guest in honest] == [None] * 4
    assert [guest.ended for guest in flood] == ["room"] * 16 + [None] * 4
    late = Guest("network 9", everyone)
    assert (late.ended, honest[0].ended, everyone.count) == (None, "room", 8)


async def test_where_all_are_at_work_the_newcomer_goes() -> None:
    everyone = Connections(places=2)
    busy = [Guest("a", everyone), Guest("b", everyone)]
    for guest in busy:
        everyone.stop_waiting(cast("GuardedProtocol", guest))
    assert Guest("c", everyone).ended == "room"
    assert [guest.ended for guest in busy] == [None, None]


async def test_an_event_takes_the_place_of_an_answer_that_waits_for_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "LONG_AT_WORK_S", 0)
    everyone = Connections(places=4)
    at_work = [Guest(network, everyone) for network in ("a", "b", "c", "d")]
    for guest in at_work:
        everyone.stop_waiting(cast("GuardedProtocol", guest))
    event = Guest("e", everyone)
    assert [event.ended, *(guest.ended for guest in at_work)] == [None, "room", None, None, None]
    another = Guest("f", everyone)  # A waiting connection ends before all working ones.
    assert (another.ended, event.ended, everyone.count) == (None, "room", 4)


async def test_a_network_beyond_its_share_makes_room_for_itself_also_while_it_is_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "LONG_AT_WORK_S", 0)
    everyone = Connections(places=4)
    honest = [Guest("a", everyone), Guest("b", everyone)]
    flood = [Guest("a hoster", everyone) for _ in range(2)]
    for guest in (*honest, *flood):
        everyone.stop_waiting(cast("GuardedProtocol", guest))
    assert Guest("a hoster", everyone).ended is None
    assert [guest.ended for guest in (*honest, *flood)] == [None, None, "room", None]
