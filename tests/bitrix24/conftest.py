"""A small real HTTP server with scripted answers, and the clients that talk to it."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import uvicorn

from app.bitrix24.rest.accounts import LocalAccounts
from app.bitrix24.rest.bucket import RateBucket
from app.bitrix24.rest.exchange import Exchange
from app.bitrix24.rest.oauth import AuthorizationServer
from app.bitrix24.rest.portal_client import PortalClient
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.network import open_http_client
from app.settings import PRIVATE_NETWORKS
from tests.patience import wait_until

NOW = 1_773_239_624
TLS = ssl.create_default_context()  # Made once, because it takes milliseconds.


class FixedClock:
    """A clock that stands still."""

    def now(self) -> int:
        return NOW


class Request:
    """One request as the server saw it."""

    def __init__(self, scope: dict[str, Any], body: bytes) -> None:
        self.method = scope["method"]
        self.path = scope["path"]
        self.query = dict(parse_qsl(scope["query_string"].decode()))
        self.headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        self.body = body

    @property
    def json(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.body)
        return answer

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


class Reply:
    """The server's answer: JSON, unless `body` is given."""

    def __init__(
        self, document: object = None, status: int = 200, body: bytes | None = None, **headers: str
    ) -> None:
        self.status = status
        self.body = json.dumps(document).encode() if body is None else body
        self.headers = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]


Handler = Callable[[Request], Reply | Awaitable[Reply]]


class LocalServer:
    """An ASGI application that keeps all requests and answers by `handler`."""

    reply = Reply

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.handler: Handler = lambda _: Reply({"result": True})
        self.port = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def rest(self) -> str:
        return f"{self.origin}/rest/"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        request = Request(scope, body)
        self.requests.append(request)
        reply = self.handler(request)
        if not isinstance(reply, Reply):
            reply = await reply
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})


@asynccontextmanager
async def running_server() -> AsyncIterator[LocalServer]:
    application = LocalServer()
    # Named TCP, or asyncio leaves Nagle's algorithm on and every answer in two parts waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    application.port = listener.getsockname()[1]
    config = uvicorn.Config(application, lifespan="off", log_config=None, interface="asgi3", ws="none")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield application
    finally:
        # uvicorn's own shutdown begins with a tenth of a second of sleep.
        for listening in server.servers:
            listening.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        await wait_until(lambda: not server.server_state.connections)
        listener.close()


@pytest.fixture
async def server() -> AsyncIterator[LocalServer]:
    async with running_server() as application:
        yield application


@pytest.fixture
async def other_server() -> AsyncIterator[LocalServer]:
    async with running_server() as application:
        yield application


@pytest.fixture
def policy(server: LocalServer) -> AddressPolicy:
    return AddressPolicy([server.origin], allow_http=True, private=PRIVATE_NETWORKS)


@pytest.fixture
def exchanges() -> list[Exchange]:
    return []


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def record(exchanges: list[Exchange]) -> Any:
    async def append(exchange: Exchange) -> None:
        exchanges.append(exchange)

    return append


@pytest.fixture
async def portals_http(policy: AddressPolicy) -> AsyncIterator[httpx.AsyncClient]:
    async with open_http_client(policy, "portals", tls=TLS) as http:
        yield http


@pytest.fixture
async def portal(
    server: LocalServer,
    policy: AddressPolicy,
    portals_http: httpx.AsyncClient,
    record: Any,
    waits: list[float],
) -> PortalClient:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    bucket = RateBucket(LocalAccounts(lambda: 0.0), sleep)
    return PortalClient(
        portals_http, policy, server.rest, bucket, record, FixedClock(), member_id="a" * 32, sleep=sleep
    )


@pytest.fixture
async def authorization(policy: AddressPolicy, record: Any) -> AsyncIterator[AuthorizationServer]:
    async with open_http_client(policy, "oauth", tls=TLS) as http:
        yield AuthorizationServer(http, policy, "app.1", "the-client-secret", record, FixedClock())
