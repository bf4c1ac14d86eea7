"""The stand-in below its handlers: portals, tokens, faults and counters.

Every handler imports this module; it imports none of them.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import httpx

from app.demo.core.bucket import Bucket, OperatingTime
from app.demo.core.faults import FaultRule, Faults, Gate, Network
from app.demo.core.hostility import Hostility
from app.demo.core.listener import AnyApp, Listener, listen
from app.demo.core.staff import ADMIN_ID, OPERATOR_ID
from app.demo.core.state import Installation, PlacementBinding, PortalState, StandInState, User
from app.demo.core.statistics import format_time
from app.demo.core.tokens import TokenBook, TokenPair
from app.kit.clock import Clock

KEPT_REQUESTS = 20_000


@dataclass(frozen=True, kw_only=True)
class ReceivedRequest:
    """One received request; `member_id` is None at the authorization server."""

    at: int
    port: int
    member_id: str | None
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def text(self) -> str:
        """The whole request as one text, in which tests search."""
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers)
        return f"{self.method} {self.path}?{self.query}\n{headers}\n\n{self.body}"


class Portal:
    """One portal: its state, its addresses, its tokens, and its behaviour on demand."""

    def __init__(self, stand_in: "World[Portal]", state: PortalState) -> None:
        self.stand_in = stand_in
        self.state = state
        self.bucket = Bucket(stand_in.monotonic)
        self.operating = OperatingTime(stand_in.clock.now)
        self.execution_s = 0.01  # The time that a method says it took; in truth it answers at once.
        self.longest_request_s = 0.0
        self.most_commands: int | None = None  # A batch runs this many before its time is up; None: all.
        self.ignored_operators: frozenset[str] = frozenset()  # Operators of FILTER that this portal lacks.
        self.redirect_to: str | None = None
        self.listed_endpoint: str | None = None  # The old address that `app.info` still tells after a move.
        self.understands_range = True
        self.hostility: Hostility | None = None

    @property
    def member_id(self) -> str:
        """32 hex characters; never changes."""
        return self.state.member_id

    @property
    def domain(self) -> str:
        """`127.0.0.1:PORT`"""
        return f"127.0.0.1:{self.state.port}"

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`"""
        return f"http://{self.domain}"

    @property
    def client_endpoint(self) -> str:
        """REST root of the portal."""
        return f"{self.origin}/rest/"

    @property
    def installation(self) -> Installation:
        """The installation of our app in this portal."""
        return self.state.installation(self.stand_in.client_id)

    @property
    def application_token(self) -> str:
        """The secret that this portal's events carry now."""
        return self.installation.application_token

    @property
    def users(self) -> dict[int, User]:
        """All users, by id."""
        return self.state.users

    @property
    def admin(self) -> User:
        """The administrator of a freshly staffed portal."""
        return self.users[ADMIN_ID]

    @property
    def operator(self) -> User:
        """A user whose only right is to see their own calls in the statistics."""
        return self.users[OPERATOR_ID]

    @property
    def counts(self) -> Counter[str]:
        """Requests of this portal (REST, and its tokens at the authorization server), by operation."""
        return self.stand_in.faults.counts_by_portal.setdefault(self.member_id, Counter())

    def describe_time(self, operation: str | None = None, duration_s: float = 0.01) -> dict[str, Any]:
        """The `time` block of an answer (settings/performance/limits.md for `operating`)."""
        now = self.stand_in.clock.now()
        shown = format_time(now, self.state.utc_offset_s)
        block: dict[str, Any] = {
            "start": now,
            "finish": now + duration_s,
            "duration": duration_s,
            "processing": duration_s / 2,
            "date_start": shown,
            "date_finish": shown,
        }
        if operation is not None:
            block["operating_reset_at"], block["operating"] = self.operating.read(operation)
        return block

    def issue_pair(self, user: User | int | None = None, client_id: str | None = None) -> TokenPair:
        """A pair of tokens for a user (default: the administrator), of our app or another; the tokens are
        dead when the app is not installed.
        """
        user_id = user if isinstance(user, int) else (user or self.admin).id
        pair = self.stand_in.tokens.issue(self.state, user_id, client_id or self.stand_in.client_id)
        if not self.state.installation(pair.client_id).is_present:
            for value in (pair.access_token, pair.refresh_token):
                self.state.tokens[value].is_dead = True
        return pair

    def expire_access_tokens(self) -> None:
        """Expire every access token of our app now."""
        self.stand_in.tokens.expire(self.state, self.stand_in.client_id)

    def bound_placement(self, placement: str) -> PlacementBinding | None:
        """The app's handler for a placement, once its installation is finished."""
        bound = self.installation.placements if self.installation.is_finished else []
        return next((one for one in bound if one.placement == placement), None)


P_co = TypeVar("P_co", bound=Portal, covariant=True)


class World(Generic[P_co]):
    """All portals and the authorization server, behind one front."""

    front: AnyApp
    """The ASGI app that answers for every origin."""

    def __init__(
        self,
        state: StandInState,
        client_id: str,
        client_secret: str,
        clock: Clock,
        refresh_life_days: int = 180,
    ) -> None:
        self.state = state
        self.client_id = client_id
        self.client_secret = client_secret
        self.secrets_by_client: dict[str, str] = {client_id: client_secret}
        self.clock = clock
        self.monotonic: Callable[[], float] = time.monotonic
        self.app_url = ""
        self.tokens = TokenBook(clock, refresh_life_days)
        self.faults = Faults()
        self.expiry_format: Literal["unix", "iso"] = "unix"
        self.requests: deque[ReceivedRequest] = deque(maxlen=KEPT_REQUESTS)
        self.closing = asyncio.Event()
        self.http = httpx.AsyncClient(timeout=30, trust_env=False)
        self.portals: list[P_co] = []
        self._listeners: dict[int, Listener] = {}

    async def listen(self, port: int = 0) -> int:
        """Serve one more origin; returns its port."""
        listener = await listen(self.front, port)
        self._listeners[listener.port] = listener
        return listener.port

    async def stop_listening(self, port: int) -> None:
        """Refuse connections on one origin from now on."""
        await self._listeners.pop(port).stop()

    async def close(self) -> None:
        """Open all gates, drop unanswered requests, stop all servers."""
        self.faults.clear()
        self.closing.set()
        await asyncio.gather(*(listener.stop() for listener in self._listeners.values()))
        await self.http.aclose()

    @property
    def oauth_origin(self) -> str:
        """`http://127.0.0.1:PORT` of the authorization server."""
        return f"http://127.0.0.1:{self.state.oauth_port}"

    @property
    def server_endpoint(self) -> str:
        """The REST root of the authorization server, which events and pages name."""
        return f"{self.oauth_origin}/rest/"

    @property
    def counts(self) -> Counter[str]:
        """Requests by operation (see app/demo/core/faults.py for the names)."""
        return self.faults.counts

    def fail(
        self,
        operation: str,
        *,
        code: str | None = None,
        status: int = 400,
        description: str = "",
        network: Network | None = None,
        portal: Portal | None = None,
        times: int | None = None,
    ) -> FaultRule:
        """Answer an operation with an error code, or break the network for it, `times` times (None: until
        `heal`).

        `network` is "drop" (nothing happens, no answer), "drop_after" (the change happens, the answer is
        lost), "half" (the change happens, half of the answer comes), "503", "504", "html" (200 with a page)
        or "timeout" (the answer never comes).
        """
        member_id = portal.member_id if portal else None
        return self.faults.add_rule(
            FaultRule(
                operation=operation,
                code=code,
                status=status,
                description=description,
                network=network,
                member_id=member_id,
                times=times,
            )
        )

    def hold(
        self,
        operation: str,
        *,
        when: Literal["before", "after"] = "after",
        portal: Portal | None = None,
        times: int | None = None,
    ) -> Gate:
        """Hold answers ("after": the work is done) or requests ("before") until the gate is released."""
        return self.faults.add_gate(
            Gate(operation=operation, when=when, member_id=portal.member_id if portal else None, times=times)
        )

    def heal(self) -> None:
        """Drop every rule and lie and open every gate."""
        self.faults.clear()

    def requests_with(self, text: str) -> list[ReceivedRequest]:
        """Every received request that contains this text."""
        return [request for request in self.requests if text in request.text]

    def requests_to(self, path_end: str) -> list[ReceivedRequest]:
        """Every request whose path ends with `path_end` (`oauth/token`); outer slashes do not count."""
        return [request for request in self.requests if request.path.strip("/").endswith(path_end)]

    def portal_of_token(self, value: str) -> P_co | None:
        """The portal that issued a token, dead tokens included; or None."""
        return next((portal for portal in self.portals if value in portal.state.tokens), None)

    def portal_of_port(self, port: int) -> P_co | None:
        """The portal that is, or was, served on a port; or None."""
        return next(
            (one for one in self.portals if port in (one.state.port, *one.state.moved_from_ports)), None
        )

    def show_expiry(self, at: int) -> int | str:
        """`expires` of app.info: Unix seconds, or ISO 8601 as in the tests of bitrix24/b24pysdk."""
        return at if self.expiry_format == "unix" else format_time(at, 0)

    def describe_time(self) -> dict[str, Any]:
        """A `time` block in UTC."""
        now = self.clock.now()
        shown = format_time(now, 0)
        return {
            "start": now,
            "finish": now + 0.01,
            "duration": 0.01,
            "processing": 0.0,
            "date_start": shown,
            "date_finish": shown,
        }
