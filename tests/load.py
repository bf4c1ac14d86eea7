"""A load generator: call-end events over raw sockets, kept alive, one in flight on each connection.

The benchmark uses it in its own process (``python -m tests.load``), the kill -9 test inside the test. It
remembers every call that was acknowledged, which means answered with 200, in full.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from typing import cast

import msgspec

BODY_BYTES = 1024
_TEMPLATE = (
    "event=ONVOXIMPLANTCALLEND&event_handler_id=1061&data%5BCALL_ID%5D={call_id}&data%5BCALL_TYPE%5D=2"
    "&data%5BPHONE_NUMBER%5D=%2B12025550123&data%5BPORTAL_NUMBER%5D=reg133788&data%5BPORTAL_USER_ID%5D=1269"
    "&data%5BCALL_DURATION%5D=35&data%5BCALL_START_DATE%5D=2026-03-11T17%3A28%3A46%2B02%3A00"
    "&data%5BCOST%5D=1.2000&data%5BCOST_CURRENCY%5D=EUR&data%5BCALL_FAILED_CODE%5D=200"
    "&data%5BCALL_FAILED_REASON%5D=Success+call&data%5BCRM_ACTIVITY_ID%5D=7953&ts=1773239624"
    "&auth%5Bdomain%5D=some-domain.bitrix24.com"
    "&auth%5Bclient_endpoint%5D=https%3A%2F%2Fsome-domain.bitrix24.com%2Frest%2F"
    "&auth%5Bserver_endpoint%5D=https%3A%2F%2Foauth.bitrix.info%2Frest%2F"
    "&auth%5Bmember_id%5D={member_id}&auth%5Bapplication_token%5D={application_token}&auth%5Bscope%5D="
)


class Sender(msgspec.Struct, frozen=True):
    """The portal of the events, and the beginning of their CALL_IDs."""

    member_id: str
    application_token: str
    prefix: str

    def make_requests(self) -> Iterator[tuple[str, bytes]]:
        """Pairs of CALL_ID and request, without end."""
        marked = _TEMPLATE.format(
            call_id="@", member_id=self.member_id, application_token=self.application_token
        )
        before, after = marked.split("@")
        number = 0
        while True:
            number += 1
            call_id = f"externalCall.{self.prefix}.{number:09d}"
            body = (before + call_id + after).ljust(BODY_BYTES, "x").encode()
            head = (
                "POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"User-Agent: Bitrix24 Webhook Engine\r\nAccept: */*\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            yield call_id, head.encode() + body


class Outcome(msgspec.Struct):
    """The answers: acknowledged CALL_IDs, other statuses, and seconds from request to answer."""

    acknowledged: list[str] = msgspec.field(default_factory=list)
    statuses: dict[int, int] = msgspec.field(default_factory=dict)
    latencies_s: list[float] = msgspec.field(default_factory=list)
    seconds: float = 0.0


class Summary(msgspec.Struct, frozen=True):
    """An outcome in figures."""

    acknowledged: int
    statuses: dict[int, int]
    events_per_s: float
    p50_ms: float
    p99_ms: float


def summarise(outcome: Outcome) -> Summary:
    latencies = sorted(outcome.latencies_s)
    count = len(latencies)
    return Summary(
        len(outcome.acknowledged),
        outcome.statuses,
        count / outcome.seconds,
        latencies[count // 2] * 1000,
        latencies[count * 99 // 100] * 1000,
    )


class _Connection(asyncio.Protocol):
    """Sends a request, waits for its whole answer, sends the next."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._call_id = ""
        self._sent_at = 0.0

    def itself(self) -> "_Connection":
        """Return the protocol itself: asyncio asks for a factory."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class is no subclass of asyncio's.
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(self._buffer) < head_end + 4 + length:
            return
        self._buffer = b""
        self._load.note(self._call_id, int(head[9:12]), time.perf_counter() - self._sent_at)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.close(self)

    def _send(self) -> None:
        request = self._load.next_request()
        assert self._transport is not None
        if request is None:
            self._transport.close()
            return
        self._call_id, message = request
        self._sent_at = time.perf_counter()
        self._transport.write(message)


class Load:
    """One run: ends after `limit` requests, or when every connection is lost."""

    def __init__(self, sender: Sender, connections: int, limit: int | None = None) -> None:
        self._requests = sender.make_requests()
        self._left = limit
        self._connections = connections
        self._open: set[object] = set()
        self._ended = asyncio.Event()
        self.outcome = Outcome()
        self._milestone = 0
        self._reached = asyncio.Event()

    async def run(self, host: str, port: int) -> Outcome:
        """Send until the end."""
        loop = asyncio.get_running_loop()
        began_at = time.perf_counter()
        for _ in range(self._connections):
            connection = _Connection(self)
            self._open.add(connection)
            await loop.create_connection(connection.itself, host, port)
        await self._ended.wait()
        self.outcome.seconds = time.perf_counter() - began_at
        return self.outcome

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered: one on each open connection."""
        return len(self._open)

    async def wait_for(self, acknowledged: int) -> None:
        """Wait until that many are acknowledged, or the run has ended."""
        self._milestone = acknowledged
        self._look()
        await self._reached.wait()

    def next_request(self) -> tuple[str, bytes] | None:
        """The next CALL_ID and request; None when the run is over."""
        if self._left is not None:
            if self._left == 0:
                return None
            self._left -= 1
        return next(self._requests)

    def note(self, call_id: str, status: int, latency_s: float) -> None:
        """Note an answer that has come in full."""
        outcome = self.outcome
        outcome.latencies_s.append(latency_s)
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
        if status == 200:
            outcome.acknowledged.append(call_id)
            self._look()

    def close(self, connection: object) -> None:
        """Note that a connection has ended, by us or by the server."""
        self._open.discard(connection)
        if not self._open:
            self._ended.set()
            self._reached.set()

    def _look(self) -> None:
        if len(self.outcome.acknowledged) >= self._milestone > 0:
            self._reached.set()


def main() -> None:
    """Run one load and write its summary as JSON."""
    import uvloop  # noqa: PLC0415  Only this process wants it.

    parser = argparse.ArgumentParser()
    for name in ("member_id", "application_token", "prefix", "host"):
        parser.add_argument(name)
    for name in ("port", "connections", "limit"):
        parser.add_argument(name, type=int)
    options = parser.parse_args()
    sender = Sender(options.member_id, options.application_token, options.prefix)

    async def run() -> Outcome:
        return await Load(sender, options.connections, options.limit).run(options.host, options.port)

    sys.stdout.write(msgspec.json.encode(summarise(uvloop.run(run()))).decode())


if __name__ == "__main__":
    main()
