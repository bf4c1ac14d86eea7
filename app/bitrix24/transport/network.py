"""Outbound HTTP clients: they connect to the very address that was checked, by no proxy and no redirect."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any, Literal, cast

import httpcore
import httpx

from app.bitrix24.errors import AddressRefused
from app.bitrix24.transport.address_policy import AddressPolicy, refused_address
from app.bitrix24.transport.host_names import Names, NameServers, PortalNames, ServerNames
from app.bitrix24.transport.sockets import Connection, GatheringBackend
from app.kit.fairness.fair_queue import FairQueue
from app.kit.fairness.places import Bounds

Purpose = Literal["portals", "oauth"]
_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S: dict[str, float] = {"portals": 60.0, "oauth": 10.0}
MAX_CONNECTIONS = 256  # A quarter of the files that a process may usually open.
MAX_OF_A_PORTAL = 32  # Two for each of sixteen listeners (web/http/stream_places.py).
MAX_TRIED = 4  # Addresses of one host; each may stay silent for ten seconds.
_LIMITS = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=16, keepalive_expiry=15.0)
_portal: ContextVar[str] = ContextVar("portal", default="")


@contextmanager
def on_behalf_of(portal: str) -> Iterator[None]:
    """While the context lasts, requests count as this portal's. All requests outside of such contexts count
    as one more portal's.
    """
    token = _portal.set(portal)
    try:
        yield
    finally:
        _portal.reset(token)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host once, checks every address and connects to a checked one. So a name that resolves
    differently the second time gains nothing. TLS still verifies the host's name.

    For "oauth" it connects to listed authorization servers only, at any address. For "portals" it connects
    only to addresses that the policy admits; the host of an authorization server is no exception there.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        purpose: Purpose,
        names: Names,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._purpose = purpose
        self._names = names
        self._inner = inner or GatheringBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  The signature is httpcore's.
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a checked address of the host; raises AddressRefused when any of them is not
        admitted.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked_addresses(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("resolving the host took too long") from None
        return await self._connect_first(addresses, port, timeout, local_address, socket_options)

    async def _connect_first(
        self,
        addresses: Sequence[str],
        port: int,
        timeout: float | None,  # noqa: ASYNC109  As above.
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = addresses[:MAX_TRIED]
        for address in others:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue  # The host has another address; only the last one's failure is raised.
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

    async def _checked_addresses(self, host: str, port: int) -> Sequence[str]:
        if self._purpose == "oauth" and not self._policy.is_oauth_endpoint(host, port):
            raise AddressRefused("This host is no listed authorization server.")
        try:
            addresses = await self._names.find(_portal.get(), host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the host cannot be resolved") from None
        if not addresses:
            raise httpcore.ConnectError("the host has no address")
        if self._purpose == "portals" and not all(self._policy.admits(ip_address(a)) for a in addresses):
            raise refused_address()
        return addresses

    async def sleep(self, seconds: float) -> None:
        """Wait between the pool's own attempts."""
        await self._inner.sleep(seconds)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over a pool whose connections the guard makes. Portals take turns at the places of
    this transport: a request holds a place from its beginning to the end of its answer.
    """

    def __init__(self, backend: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext, places: FairQueue) -> None:
        super().__init__(verify=tls, trust_env=False, limits=_LIMITS)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=_LIMITS.max_connections,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            keepalive_expiry=_LIMITS.keepalive_expiry,
            network_backend=backend,
        )
        self._places = places

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request in its portal's turn."""
        portal = _portal.get()
        await self._places.acquire(portal)
        try:
            response = await super().handle_async_request(request)
            response.stream = _Answer(response, lambda: self._places.release(portal))
        except BaseException:
            self._places.release(portal)
            raise
        return response


class _Answer(httpx.AsyncByteStream):
    """An answer's body: it counts each of its pieces, and gives its place back when it is closed."""

    def __init__(self, response: httpx.Response, give_back: Callable[[], None]) -> None:
        self._stream = cast("httpx.AsyncByteStream", response.stream)  # httpx's transport gives no other.
        self._meter = cast("Connection", response.extensions["network_stream"]).meter
        self._give_back: Callable[[], None] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._meter.note_chunk(len(chunk))
            yield chunk

    async def aclose(self) -> None:
        """Close the body; its connection ends or is kept for the next request."""
        try:
            await self._stream.aclose()
        finally:
            give_back, self._give_back = self._give_back, None
            if give_back is not None:
                give_back()


@asynccontextmanager
async def open_http_client(
    policy: AddressPolicy, purpose: Purpose, *, tls: ssl.SSLContext | None = None, names: Names | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that contacts only portals, or only authorization servers.

    It follows no redirect, keeps no cookie, reads no proxy from the environment and accepts no compression
    (a small body could grow without bound). Pass one `tls` context to all clients, since making one takes
    milliseconds, and the same `names` to all clients for portals; without them a client makes its own.
    """
    name_servers = NameServers()
    if purpose == "portals":
        own: Names = PortalNames(name_servers.resolve)
        bounds = Bounds(MAX_CONNECTIONS, MAX_OF_A_PORTAL, MAX_OF_A_PORTAL)
    else:
        own = ServerNames(name_servers.resolve)
        # All requests count as one portal's.
        bounds = Bounds(2 * MAX_CONNECTIONS, MAX_CONNECTIONS, MAX_CONNECTIONS)
    backend = GuardedBackend(policy, purpose, names or own)
    client = httpx.AsyncClient(
        transport=_GuardedTransport(
            backend, tls or httpx.create_ssl_context(trust_env=False), FairQueue(bounds)
        ),
        timeout=httpx.Timeout(_READ_TIMEOUT_S[purpose], connect=_CONNECT_TIMEOUT_S),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Callbook"},
    )
    try:
        async with client:
            yield client
    finally:
        await name_servers.close()
