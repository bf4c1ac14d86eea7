"""The connections of a server. They are fewer than the files that the server may open, and no connection
stays open for a request that does not come.

A client that has not sent a whole request, headers and body, within `PATIENCE_S` gets a sentence about it,
and its connection ends. (uvicorn ends a connection that is idle between two requests after five seconds.)

When no place is free, an old connection makes room, so that an event always finds a place. The connection
that has waited longest for its request goes first. When no connection waits, the connection with the longest
running answer goes, if that answer has taken longer than any event takes. When the newcomer's network has
more than its share of all places, only connections of that network make room for the newcomer.
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from http import HTTPStatus
from typing import Any, Literal
from weakref import WeakKeyDictionary

from httptools import HttpParserError
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.kit.fairness.subscribers import find_network
from app.kit.file_limit import count_places
from app.kit.metrics import CONNECTIONS_ENDED

PATIENCE_S = 10.0  # A body has at most 64 KiB, and a proxy in front sends whole requests.
# The head of a request is its address, headers and trailers, without the body. Proxies have the same bound,
# the parser has none.
MAX_HEAD_BYTES = 32_768
MAX_HEADERS = 128  # With trailers. Each takes about 120 bytes of memory, even one of four bytes.
# The bytes that are parsed before they are counted. A server may read 256 KiB at once; an event has about 1
# KiB.
STEP_BYTES = 4_096
MAX_PIPELINED = 8  # Requests that wait on one connection for their turn; few clients send even two.
MOST_OF_A_NETWORK = 0.25  # Of all places, once none is free.
LONG_AT_WORK_S = 5.0  # An event takes milliseconds; streams, files and waiting answers take longer.
# So many late connections are ended in a row, then the loop does other work. To end one takes a fraction of a
# millisecond.
CUT_AT_ONCE = 256
Why = Literal["late", "head", "room"]

# uvicorn's own logger would write a line for each malformed request, which strangers can send in any number.
_quiet = logging.getLogger("uvicorn.error.connections")
_quiet.setLevel(logging.ERROR)


class Connections:
    """All connections of one server: `waiting` for a request or `working` on an answer, the longest first."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.count = 0
        self.waiting: OrderedDict[GuardedProtocol, float] = OrderedDict()
        self.working: OrderedDict[GuardedProtocol, float] = OrderedDict()
        self._networks: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def join(self, newcomer: "GuardedProtocol") -> None:
        """Count the newcomer. When no place is free, another connection ends, or the newcomer itself when no
        other connection may be ended.
        """
        self.count += 1
        self._networks[newcomer.network] += 1
        self.wait(newcomer)
        if self.count > self.places:
            self._find_spare(newcomer).end("room")

    def leave(self, connection: "GuardedProtocol") -> None:
        """Forget a connection that has ended."""
        self.drop(connection)
        self.count -= 1
        self._networks[connection.network] -= 1
        if not self._networks[connection.network]:
            del self._networks[connection.network]

    def wait(self, connection: "GuardedProtocol") -> None:
        """Count the connection among those that wait for a request, from now on."""
        self.working.pop(connection, None)
        self.waiting[connection] = connection.loop.time()
        self.waiting.move_to_end(connection)
        if self._timer is None:
            self._look_again(connection.loop, PATIENCE_S)

    def stop_waiting(self, connection: "GuardedProtocol") -> None:
        """Count the connection among those at work: its request is whole."""
        if self.waiting.pop(connection, None) is not None:
            self.working[connection] = connection.loop.time()

    def drop(self, connection: "GuardedProtocol") -> None:
        """Remove a connection that is being ended from the connections that can make room."""
        self.waiting.pop(connection, None)
        self.working.pop(connection, None)

    def _find_spare(self, newcomer: "GuardedProtocol") -> "GuardedProtocol":
        """The connection that makes room. It is the newcomer itself when no other connection may be ended."""
        is_its_own = self._networks[newcomer.network] > self.places * MOST_OF_A_NETWORK

        def find_longest(connections: OrderedDict[GuardedProtocol, float]) -> GuardedProtocol | None:
            may_go = (one for one in connections if not is_its_own or one.network == newcomer.network)
            return next(may_go, None)

        spare = find_longest(self.waiting)
        if spare is not None and spare is not newcomer:
            return spare
        at_work = find_longest(self.working)
        if at_work is None or newcomer.loop.time() - self.working[at_work] < LONG_AT_WORK_S:
            return newcomer
        return at_work

    def _look_again(self, loop: asyncio.AbstractEventLoop, after_s: float) -> None:
        self._timer = loop.call_later(after_s, self._end_late, loop)

    def _end_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for _ in range(CUT_AT_ONCE):
            if not self.waiting:
                return
            longest, since = next(iter(self.waiting.items()))
            left_s = since + PATIENCE_S - loop.time()
            if left_s > 0:
                self._look_again(loop, left_s)
                return
            longest.end("late")
        self._look_again(loop, 0)


_of_server: WeakKeyDictionary[ServerState, Connections] = WeakKeyDictionary()


def connections_of(state: ServerState) -> Connections:
    """The connections of one server, with as many places as the process's limit of open files leaves."""
    found = _of_server.get(state)
    if found is None:
        found = _of_server[state] = Connections(count_places())
    return found


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with the bounds of this module."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _quiet
        self.network = ""
        self._all = connections_of(server_state)
        self._is_reading = False  # A request has begun and is not whole.
        self._is_new = False  # This request began in the step that is being parsed.
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place."""
        super().connection_made(transport)
        self.network = find_network(self.client[0]) if self.client else ""
        self._all.join(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._all.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse in small steps, so that too large a head is refused before the rest of it is parsed."""
        if len(data) <= STEP_BYTES and not self._is_reading:  # The usual case: a whole event.
            super().data_received(data)
            self._bound(len(data))
            return
        begin = 0
        while begin < len(data) and not self.transport.is_closing():
            left = MAX_HEAD_BYTES - self._head_bytes if self._is_reading else MAX_HEAD_BYTES
            step = data[begin : begin + min(STEP_BYTES, left + 1)]
            begin += len(step)
            super().data_received(step)
            self._bound(len(step))

    def _bound(self, step_bytes: int) -> None:
        """After a step, check the bounds of a request that is not whole. `PATIENCE_S` counts from the
        beginning of the request.
        """
        if not self._is_reading or self.transport.is_closing():
            return
        self._head_bytes += step_bytes  # `on_body` has subtracted the bytes of the body.
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            self.end("head")
        elif self._is_new and (self._last is None or self._last.response_complete):
            self._all.wait(self)
        self._is_new = False

    def on_message_begin(self) -> None:
        """A request begins, perhaps while another is being answered."""
        super().on_message_begin()
        self._is_reading = self._is_new = True
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        """Answer a client that sends no HTTP, unless its connection is already being ended."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def on_headers_complete(self) -> None:
        """Start the request. Raises HttpParserError, which uvicorn answers by 400, when too many
        wait already.
        """
        if len(self.headers) > MAX_HEADERS:
            self._refuse_headers()
        if len(self.pipeline) >= MAX_PIPELINED:
            raise HttpParserError("too many requests at once")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Subtract this part of the body from the count of the head's bytes, because `_bound` adds the whole
        step to that count. The application bounds the size of the body.
        """
        super().on_body(body)
        self._head_bytes -= len(body)

    def on_message_complete(self) -> None:
        """The request is whole: the connection waits no longer, and its answer is worked on."""
        if len(self.headers) > MAX_HEADERS:  # With its trailers.
            self._refuse_headers()
        super().on_message_complete()
        self._is_reading = False
        self._all.stop_waiting(self)

    def _refuse_headers(self) -> None:
        """End the connection, and raise HttpParserError, which stops the parser."""
        self.end("head")
        raise HttpParserError("too many headers")

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a request that was answered before its end."""
        super().on_response_complete()
        if self._is_reading or self.cycle.response_complete:
            self._all.wait(self)

    @property
    def _last(self) -> RequestResponseCycle | None:
        """The last request, or None before the first; uvicorn's own type does not name None."""
        return self.cycle

    def end(self, why: Why) -> None:
        """End the connection at once; a client that has begun a request and has no answer yet gets
        a sentence.
        """
        CONNECTIONS_ENDED.labels(why).inc()
        self._all.drop(self)
        answer = _WORDS.get(why)
        is_answered = self._last is not None and self._last.response_started
        if answer is None or not self._is_reading or is_answered:
            self.transport.abort()
            return
        self.transport.write(answer)
        self.transport.close()


def _refusal(status: HTTPStatus, sentence: str) -> bytes:
    head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
    return f"{head}content-length: {len(sentence)}\r\nconnection: close\r\n\r\n{sentence}".encode()


_WORDS: dict[Why, bytes] = {
    "late": _refusal(
        HTTPStatus.REQUEST_TIMEOUT,
        f"The whole request did not arrive within {PATIENCE_S:.0f} s. Send it again.",
    ),
    "head": _refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"Address and headers have more than {MAX_HEAD_BYTES} bytes, or there are more than {MAX_HEADERS}"
        " headers. Send less.",
    ),
}
