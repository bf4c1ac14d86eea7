"""Installed portals for the tests of their tokens, and the refresher of a second process."""

import asyncio
import time

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.model import Portal
from app.portals.tokens.portal_purse import Monotonic, Sleep
from app.portals.tokens.refresh import Refresher
from tests.running import Callbook


async def stored(callbook: Callbook, portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


def make_second(
    callbook: Callbook, sleep: Sleep = asyncio.sleep, monotonic: Monotonic = time.monotonic
) -> Refresher:
    first = callbook.parts.refresher
    shared = (first._server, first._addresses, first._vault, first._clock)  # noqa: SLF001
    return Refresher(*shared, callbook.parts.background, sleep, monotonic)


async def add_installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = await stand_in.add_portal()
    await portal.install(callbook.url)
    await callbook.settle()
    return portal
