"""Look-ups of a host's addresses, made so that no portal's name server keeps other portals waiting.

They use c-ares (by `aiodns`) and not the machine's `getaddrinfo`. That function holds a thread until a name
server answers or its own time limit is over, and nothing can end it earlier. c-ares too reads /etc/hosts and
/etc/resolv.conf, search domains included, and knows `localhost`, but no other source of names (LDAP, mDNS).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any, Protocol

import aiodns

from app.kit.fairness.fair_queue import FairQueue
from app.kit.fairness.places import Bounds
from app.kit.limited_memory import LimitedMemory

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
MAX_LOOKUPS = 2  # Of one portal at once: it has one host, and a second one while it moves.
MAX_LOOKUPS_OVERALL = 256  # As many as connections; half of them are for portals without a look-up under way.
LOOKUP_S = 5.0  # Half of the time in which a connection must be made.
REST_S = 30.0  # During this time after a look-up without an answer, the name is not looked up again.
MAX_RESTING = 1_000
MAX_ADDRESSES = 64  # Far more than any host has; each is checked.
REMEMBERED_S = 60.0  # During this time an authorization server's addresses are not looked up again.
_TRY_S, _TRIES = 2.0, 2
_LOOKUPS_OF_A_CHANNEL = 500  # c-ares keeps each answer for up to an hour and has no bound: 5 KB a name.


class Silent(OSError):
    """No name server answered in time."""


class Names(Protocol):
    """Finds the addresses of hosts."""

    async def find(self, portal: str, host: str, port: int) -> Sequence[str]:
        """All addresses of a host that this portal names; raises OSError or UnicodeError."""


class PortalNames:
    """Looks up hosts that portals name, at most two at once for each portal."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._places = FairQueue(Bounds(MAX_LOOKUPS_OVERALL, MAX_LOOKUPS, MAX_LOOKUPS))
        self._resting = LimitedMemory[str, float](MAX_RESTING)

    async def find(self, portal: str, host: str, port: int) -> Sequence[str]:
        """All addresses; raises Silent when no answer comes. For REST_S after that, each call for this host
        raises Silent without a look-up.
        """
        if is_literal(host):
            return [host]
        await self._places.acquire(portal)
        try:
            self._check_resting(host)
            looking = asyncio.ensure_future(self._resolve(host, port))
        except BaseException:
            self._places.release(portal)
            raise
        looking.add_done_callback(lambda _: self._end(portal, looking))
        try:
            async with asyncio.timeout(LOOKUP_S):
                return _bounded(await asyncio.shield(looking))
        except (Silent, TimeoutError):
            self._let_rest(host)
            raise Silent from None

    def _end(self, portal: str, looking: asyncio.Future[Sequence[str]]) -> None:
        """Give the place back. A look-up holds its place until it ends, even when its caller has gone."""
        self._places.release(portal)
        if not looking.cancelled():
            looking.exception()  # Retrieved, because asyncio logs an error that nobody retrieves.

    def _check_resting(self, host: str) -> None:
        if self._resting.get(host, 0.0) > asyncio.get_running_loop().time():
            raise Silent

    def _let_rest(self, host: str) -> None:
        self._resting[host] = asyncio.get_running_loop().time() + REST_S


class ServerNames:
    """Looks up the listed authorization servers; uses their last known addresses while look-ups fail."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._known: dict[str, tuple[float, Sequence[str]]] = {}

    async def find(self, portal: str, host: str, port: int) -> Sequence[str]:  # noqa: ARG002  Names' signature.
        """All addresses; they are at most a minute old, or older while look-ups fail."""
        now = asyncio.get_running_loop().time()
        asked_at, known = self._known.get(host, (now - REMEMBERED_S, ()))
        if is_literal(host) or now - asked_at < REMEMBERED_S:
            return known or [host]
        try:
            async with asyncio.timeout(LOOKUP_S):
                known = _bounded(await self._resolve(host, port))
        except (OSError, UnicodeError):  # TimeoutError is an OSError.
            if not known:
                raise
        self._known[host] = (now, known)
        return known


class NameServers:
    """Asks the machine's name servers, or those given as `address:port`; the caller ends it by `close()`."""

    def __init__(self, servers: Sequence[str] | None = None) -> None:
        self._servers = servers
        self._resolver: aiodns.DNSResolver | None = None
        self._lookups = 0
        self._asked: dict[asyncio.Future[Any], aiodns.DNSResolver] = {}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """All addresses as text, in the order to try them; raises OSError, or Silent without an answer."""
        resolver = self._current()
        question = resolver.getaddrinfo(host, socket.AF_UNSPEC, port, type=socket.SOCK_STREAM)
        self._asked[question] = resolver
        try:
            found = await question
        except aiodns.error.DNSError as error:
            is_silent = error.args[0] == aiodns.error.ARES_ETIMEOUT
            raise (Silent if is_silent else OSError)("the host cannot be resolved") from None
        finally:
            del self._asked[question]
        return [node.addr[0].decode() for node in found.nodes]

    def _current(self) -> aiodns.DNSResolver:
        """The channel for the next look-up. A new one replaces it from time to time, so that its memory stays
        bounded; the old one ends with its last question.
        """
        if self._resolver is None or self._lookups == _LOOKUPS_OF_A_CHANNEL:
            self._resolver = aiodns.DNSResolver(self._servers, timeout=_TRY_S, tries=_TRIES)
            self._lookups = 0
        self._lookups += 1
        return self._resolver

    async def close(self) -> None:
        """End all questions that are still open."""
        for resolver in {*self._asked.values(), *([self._resolver] if self._resolver else [])}:
            await resolver.close()
        if self._asked:
            await asyncio.wait(set(self._asked))


def is_literal(host: str) -> bool:
    """Whether the host is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _bounded(addresses: Sequence[str]) -> Sequence[str]:
    if len(addresses) > MAX_ADDRESSES:
        raise OSError("the host has too many addresses")
    return addresses
