"""An honest portal's day in fast motion, and the time of each step of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.web.http.sessions import LIFETIME_S
from tests.calls.statistics_rows import fill
from tests.patience import wait_until
from tests.roles.living import open_session

EVENT_EVERY_S = 0.1
PAGE_EVERY_S = 0.5
OPEN_EVERY_S = 2.0
HISTORY_ROWS = 2_500
LOST_EVERY_S = (
    62.0  # New rows are read once a minute at most (app/calls/statistics/progress/read_schedule.py).
)


@dataclass
class Took:
    """Seconds of each step, by its name, and the answers that were not as they should be."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)

    async def measure(self, name: str, step: Callable[[], Awaitable[bool]]) -> None:
        """Time one step; a request that is refused or cut off counts as wrong."""
        began_at = time.monotonic()
        try:
            is_right = await step()
        except (httpx.TransportError, TimeoutError):
            is_right = False
        self.seconds.setdefault(name, []).append(time.monotonic() - began_at)
        if not is_right:
            self.wrong[name] += 1


class Honest:
    """The portals of one stand-in, in a running Callbook."""

    def __init__(self, stand_in: StandIn, app_url: str) -> None:
        self.stand_in, self.app_url = stand_in, app_url
        self.portal, *self.forgetful = stand_in.portals

    async def install(self) -> None:
        """Install all portals, and wait until their histories are read."""
        for portal in (self.portal, *self.forgetful):
            fill(portal, range(1, 51))
            await self._install(portal)

    async def live(self, seconds: float) -> Took:
        """Cause events, pages and reads of the history for so long; each time another portal loses its
        calls.
        """
        took, forgetful = Took(), self.forgetful.pop()
        async with await open_session(self.portal, self.app_url) as client:
            until = time.monotonic() + seconds

            async def end_call() -> bool:
                ended = await self.portal.end_call()
                return [answer.status_code for answer in ended.responses] == [httpx.codes.OK]

            async def read_page() -> bool:
                return (await client.get("/api/v1/calls")).status_code == httpx.codes.OK

            async def open_page() -> bool:
                return (await self.portal.open_page()).status_code == httpx.codes.OK

            steps = [
                self._keep_session(client, until),
                _repeat(took, "event", end_call, EVENT_EVERY_S, until),
                _repeat(took, "page of calls", read_page, PAGE_EVERY_S, until),
                _repeat(took, "opened tab", open_page, OPEN_EVERY_S, until),
                _repeat(took, "new portal's history", self._read_history, 0, until),
            ]
            if seconds > LOST_EVERY_S:  # Else the portal was read less than a minute ago and rests.
                steps.append(
                    _repeat(took, "lost call", lambda: self._lose_call(forgetful), LOST_EVERY_S, until)
                )
            await asyncio.gather(*steps)
        return took

    async def _keep_session(self, client: httpx.AsyncClient, until: float) -> None:
        """Renew the session in time, as the tab does."""
        while (left_s := until - time.monotonic()) > 0:
            await asyncio.sleep(min(LIFETIME_S / 2, left_s))
            client.headers = (await open_session(self.portal, self.app_url)).headers

    async def _install(self, portal: StandInPortal) -> bool:
        portal.add_app()
        answer = await portal.install(self.app_url)
        if answer.status_code != httpx.codes.OK:
            return False
        async with await open_session(portal, self.app_url) as client:

            async def is_read() -> bool:
                return (await client.get("/api/v1/sync")).json()["complete_up_to"] is not None

            return await _wait_for(is_read)

    async def _read_history(self) -> bool:
        portal = await self.stand_in.add_portal()
        fill(portal, range(1, HISTORY_ROWS + 1))
        return await self._install(portal)

    async def _lose_call(self, portal: StandInPortal) -> bool:
        """Lose the event of a call; the call is there after an administrator has opened the tab."""
        ended = await portal.end_call(lose=True)
        await portal.open_page()
        async with await open_session(portal, self.app_url) as client:

            async def is_found() -> bool:
                answer = await client.get(f"/api/v1/calls/{ended.call_id}")
                return answer.status_code == httpx.codes.OK

            return await _wait_for(is_found)


async def _wait_for(is_there: Callable[[], Awaitable[bool]]) -> bool:
    """Look again and again until it is there; raise TimeoutError if it never is."""
    await wait_until(is_there)
    return True


async def _repeat(
    took: Took, name: str, step: Callable[[], Awaitable[bool]], pause_s: float, until: float
) -> None:
    while time.monotonic() < until:
        await took.measure(name, step)
        await asyncio.sleep(min(pause_s, max(0.0, until - time.monotonic())))
