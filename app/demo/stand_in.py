"""The stand-in as its users see it: one authorization server and any number of portals.

async with StandIn.serve(portals=2, client_id="app.1", client_secret="s", clock=clock) as stand_in:
portal = stand_in.portals[0]
await portal.install("http://127.0.0.1:8000")
"""

import asyncio
import secrets
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import httpx

from app.demo.authorization import create_authorization_app
from app.demo.faults import FaultRule, Faults, Gate, Lie, Network
from app.demo.people import staff_portal
from app.demo.portal import StandInPortal
from app.demo.portal_app import create_portal_app
from app.demo.rest.request import RestAnswer
from app.demo.serve import Front, Listener, ReceivedRequest, listen
from app.demo.state import PortalState, StandInState
from app.demo.statistics import format_time
from app.demo.tokens import TokenBook
from app.kit.clock import Clock, SystemClock

KEPT_REQUESTS = 20_000


class StandIn:
    """State, faults, counters and servers; made by `serve`."""

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
        self.portals: list[StandInPortal] = []
        self.front = Front(self, create_authorization_app(self), create_portal_app(self))
        self._listeners: dict[int, Listener] = {}

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        portals: int = 1,
        client_id: str = "app.callbook.1",
        client_secret: str | None = None,
        clock: Clock | None = None,
        *,
        app_url: str = "",
        state: StandInState | None = None,
        ports: Sequence[int] = (),
        refresh_life_days: int = 180,
    ) -> AsyncIterator["StandIn"]:
        """Serve on 127.0.0.1 in the running loop until the block ends.

        `ports`: the authorization server's, then one per portal; free ones where absent, 0 or taken.
        `state`: what an earlier run kept; its portals come back first. A `client_secret` is made up if none
        is given.
        """
        secret = client_secret or secrets.token_hex(25)
        made = cls(state or StandInState(), client_id, secret, clock or SystemClock(), refresh_life_days)
        made.app_url = app_url
        try:
            wanted = list(ports) or [made.state.oauth_port]
            made.state.oauth_port = await made.listen(wanted[0])
            kept = [*made.state.portals]
            made.state.portals.clear()
            for index in range(max(portals, len(kept))):
                port = wanted[index + 1] if index + 1 < len(wanted) else 0
                await made.add_portal(port, kept[index] if index < len(kept) else None)
            yield made
        finally:
            await made.close()

    async def add_portal(self, port: int = 0, state: PortalState | None = None) -> StandInPortal:
        """One more portal, staffed, with the app present but its installation not finished."""
        state = state or PortalState()
        if not state.users:
            staff_portal(state)
        state.port = await self.listen(port or state.port)
        self.state.portals.append(state)
        portal = StandInPortal(self, state)
        self.portals.append(portal)
        return portal

    async def listen(self, port: int = 0) -> int:
        """Serve one more origin; the port it got."""
        listener = await listen(self.front, port)
        self._listeners[listener.port] = listener
        return listener.port

    async def stop_listening(self, port: int) -> None:
        """Refuse connections on one origin from now on."""
        await self._listeners.pop(port).stop()

    async def close(self) -> None:
        """Open all gates, give up unanswered requests, stop all servers."""
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
        """REST root of the authorization server, as events and pages name it."""
        return f"{self.oauth_origin}/rest/"

    @property
    def counts(self) -> Counter[str]:
        """Requests by operation (see app/demo/faults.py for the names)."""
        return self.faults.counts

    def fail(
        self,
        operation: str,
        *,
        code: str | None = None,
        status: int = 400,
        description: str = "",
        network: Network | None = None,
        portal: StandInPortal | None = None,
        times: int | None = None,
    ) -> FaultRule:
        """Answer an operation with an error code, or break the network for it; `times` None: until `heal`.

        `network`: "drop" (before anything happens), "drop_after" (the change happens, the answer is lost),
        "half" (likewise, but half of the answer comes), "503", "504", "html" (200 with a page), "timeout" (no
        answer).
        """
        member_id = portal.member_id if portal else None
        return self.faults.add_rule(
            FaultRule(operation, code, status, description, network, member_id, times)
        )

    def lie(
        self,
        operation: str,
        change: Callable[[Any], Any],
        *,
        portal: StandInPortal | None = None,
        times: int | None = None,
    ) -> Lie:
        """Send what `change` makes of an answer in its place, until `heal` where `times` is None.

        It is given the result of a REST method, also within a batch, or for `rest` the whole body, which may
        become bytes; for `app.info` and `oauth.refresh` the body of the authorization server.
        """

        def bend(told: Any, _: object) -> Any:  # noqa: ANN401  Whatever JSON holds, or a method's answer.
            return replace(told, result=change(told.result)) if isinstance(told, RestAnswer) else change(told)

        return self.faults.add_lie(Lie(operation, bend, portal.member_id if portal else None, times))

    def hold(
        self,
        operation: str,
        *,
        when: Literal["before", "after"] = "after",
        portal: StandInPortal | None = None,
        times: int | None = None,
    ) -> Gate:
        """Hold answers ("after": the work is done) or requests ("before") until the gate is released."""
        return self.faults.add_gate(Gate(operation, when, portal.member_id if portal else None, times))

    def heal(self) -> None:
        """Drop every rule and lie and open every gate."""
        self.faults.clear()

    def requests_with(self, text: str) -> list[ReceivedRequest]:
        """Every received request that contains a text anywhere."""
        return [request for request in self.requests if text in request.text]

    def requests_to(self, path_end: str) -> list[ReceivedRequest]:
        """Every received request whose path ends so (`oauth/token`, `profile`), slashes aside."""
        return [request for request in self.requests if request.path.strip("/").endswith(path_end)]

    def portal_of_token(self, value: str) -> StandInPortal | None:
        """The portal that issued a token, dead or alive."""
        return next((portal for portal in self.portals if value in portal.state.tokens), None)

    def portal_of_port(self, port: int) -> StandInPortal | None:
        """The portal that is, or was, served on a port."""
        return next(
            (one for one in self.portals if port in (one.state.port, *one.state.moved_from_ports)), None
        )

    def show_expiry(self, at: int) -> int | str:
        """`expires` of app.info: Unix seconds, or ISO 8601 as the tests of bitrix24/b24pysdk have it."""
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
