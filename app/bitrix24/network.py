"""HTTP as it may leave this machine: to the very address that was checked, by no proxy and no redirect."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any, Literal

import httpcore
import httpx

from app.bitrix24.address import AddressPolicy, refused_address
from app.bitrix24.errors import AddressRefused

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Purpose = Literal["portals", "oauth"]
_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S: dict[str, float] = {"portals": 60.0, "oauth": 10.0}
_LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=16, keepalive_expiry=15.0)


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, as text, by the machine's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=2)  # SOCK_STREAM
    return [str(address[0]) for *_, address in found]


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host once, checks every address and connects to a checked one, so that a name which
    resolves differently the second time gains nothing. TLS still verifies against the host's name.

    For "oauth" it connects to listed authorization servers only, wherever they are; for "portals" to whatever
    the policy admits, even when a portal claims the host of an authorization server.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        purpose: Purpose,
        resolve: Resolve = resolve_host,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._purpose = purpose
        self._resolve = resolve
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  The signature is httpcore's.
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a checked address of the host; AddressRefused when one of them may not be contacted."""
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
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue  # The host has another address; the last one's failure is the one that is told.
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def _checked_addresses(self, host: str, port: int) -> Sequence[str]:
        if self._purpose == "oauth" and not self._policy.is_oauth_endpoint(host, port):
            raise AddressRefused("This host is no listed authorization server.")
        try:
            addresses = await self._resolve(host, port)
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
    """httpx's own transport over a pool whose connections the guard makes."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False, limits=_LIMITS)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=_LIMITS.max_connections,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            keepalive_expiry=_LIMITS.keepalive_expiry,
            network_backend=backend,
        )


def open_http_client(
    policy: AddressPolicy,
    purpose: Purpose,
    *,
    tls: ssl.SSLContext | None = None,
    resolve: Resolve = resolve_host,
) -> httpx.AsyncClient:
    """A client that contacts portals or authorization servers, and only those; close it with `aclose()`.

    It follows no redirect, keeps no cookie, reads no proxy from the environment and accepts no compression
    (a small body could grow without bound). Pass one `tls` context to all: making one takes milliseconds.
    """
    backend = GuardedBackend(policy, purpose, resolve)
    return httpx.AsyncClient(
        transport=_GuardedTransport(backend, tls or httpx.create_ssl_context(trust_env=False)),
        timeout=httpx.Timeout(_READ_TIMEOUT_S[purpose], connect=_CONNECT_TIMEOUT_S),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Callbook"},
    )
