"""The stand-in, ready for use: one authorization server and any number of portals.

async with StandIn.serve(portals=2, client_id="app.1", client_secret="s", clock=clock) as stand_in:
    portal = stand_in.portals[0]
    await portal.install("http://127.0.0.1:8000")
"""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.authorization import create_authorization_app
from app.demo.core.faults import Lie
from app.demo.core.staff import staff_portal
from app.demo.core.state import PortalState, StandInState
from app.demo.core.world import World
from app.demo.front import Front
from app.demo.portal_app import create_portal_app
from app.demo.rest.rest_call import RestAnswer
from app.kit.clock import Clock, SystemClock


class StandIn(World[StandInPortal]):
    """The world with its handlers and servers; `serve` makes it."""

    def __init__(
        self,
        state: StandInState,
        client_id: str,
        client_secret: str,
        clock: Clock,
        refresh_life_days: int = 180,
    ) -> None:
        super().__init__(state, client_id, client_secret, clock, refresh_life_days)
        self.front = Front(self, create_authorization_app(self), create_portal_app(self))

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

        `ports` holds the port of the authorization server, then one for each portal; a free port replaces one
        that is missing, 0 or taken. `state` is that of an earlier run; its portals come back first. Without a
        `client_secret` one is invented.
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
        """Add a portal with staff, in which the app is present and its installation not finished."""
        state = state or PortalState()
        if not state.users:
            staff_portal(state)
        state.port = await self.listen(port or state.port)
        self.state.portals.append(state)
        portal = StandInPortal(self, state)
        self.portals.append(portal)
        return portal

    def lie(
        self,
        operation: str,
        change: Callable[[Any], Any],
        *,
        portal: StandInPortal | None = None,
        times: int | None = None,
    ) -> Lie:
        """Replace an answer by the return value of `change`, `times` times (None: until `heal`).

        `change` gets the result of a REST method, also within a batch. For `rest` it gets the whole body, and
        may return bytes; for `app.info` and `oauth.refresh` it gets the body of the authorization server.
        """

        def bend(told: Any, _: object) -> Any:  # noqa: ANN401  Any value of JSON, or a method's answer.
            return replace(told, result=change(told.result)) if isinstance(told, RestAnswer) else change(told)

        return self.faults.add_lie(
            Lie(operation=operation, change=bend, member_id=portal.member_id if portal else None, times=times)
        )
