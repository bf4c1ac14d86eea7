"""A process of hostile portals beside an honest one: ``python -m tests.long.hostile_portals [KIND…]``.

The first line that it prints is its authorization server's address. The first line that it reads names
Callbook's address and the honest portal's. Then it installs every portal, makes it hostile, and goes on
ending calls and opening pages until it is ended itself. It is a process of its own and yields to all others,
so that its own work slows no other process down.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import httpx

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.hostility import Hostility
from app.demo.hostile_kinds import HOSTILITIES
from app.demo.lies import FAT_TEXT
from app.demo.stand_in import StandIn
from tests.running import CLIENT_ID, CLIENT_SECRET

CALL_EVERY_S = 2.0
PAGE_EVERY_S = 5.0
AWAY = (httpx.TransportError,)
REDIRECTING = "redirecting"
EACH_KIND = 2  # Of each kind of portal.


async def misbehave(portal: StandInPortal, hostility: Hostility, app_url: str) -> None:
    """Install a portal as an honest one does, then let it misbehave."""
    portal.add_app()
    await portal.install(app_url)
    portal.hostility = hostility
    await asyncio.gather(
        _repeat(CALL_EVERY_S, lambda: portal.end_call(reason=FAT_TEXT)),
        _repeat(PAGE_EVERY_S, portal.open_page),
        _repeat(PAGE_EVERY_S, lambda: portal.open_page(user=portal.operator)),
    )


async def _repeat(pause_s: float, act: Callable[[], Awaitable[object]]) -> None:
    while True:
        with suppress(*AWAY):
            await act()
        await asyncio.sleep(pause_s)


async def run(names: Sequence[str]) -> None:
    """Serve portals of these kinds, or of all, until the process is ended."""
    names = names or [*HOSTILITIES, REDIRECTING]
    async with StandIn.serve(
        EACH_KIND * len(names), client_id=CLIENT_ID, client_secret=CLIENT_SECRET
    ) as stand_in:
        print(stand_in.oauth_origin, flush=True)
        app_url, victim = (await asyncio.to_thread(sys.stdin.readline)).split()
        known = HOSTILITIES | {REDIRECTING: Hostility().towards(victim)}
        kinds = [known[name] for name in names] * EACH_KIND
        stand_in.app_url = app_url
        async with asyncio.TaskGroup() as tasks:
            for portal, hostility in zip(stand_in.portals, kinds, strict=True):
                tasks.create_task(misbehave(portal, hostility, app_url))


if __name__ == "__main__":
    os.nice(19)
    asyncio.run(run(sys.argv[1:]))
