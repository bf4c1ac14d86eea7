"""Portals whose refresh is answered as if the application were not installed there, for tests."""

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.outbound.access import PortalNotConnectedError
from app.scheduler import check_uninstalls
from tests.running import Callbook, FakeClock


async def install_all(callbook: Callbook, portals: list[StandInPortal]) -> None:
    for portal in portals:
        portal.add_app()
        assert (await portal.install(callbook.url)).status_code == 200
    await callbook.settle()


async def seem_gone(callbook: Callbook, stand_in: StandIn, portal: StandInPortal) -> None:
    """Let the authorization server answer from now on that the app is gone, and a job of ours find it out."""
    portal.expire_access_tokens()
    stand_in.fail("oauth.refresh", code="not_installed", portal=portal)
    stored = await queries.find_portal(portal.member_id)
    assert stored is not None
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(stored, "user.get", {})


async def check(callbook: Callbook, clock: FakeClock, after_s: int) -> None:
    """Let the time pass, then let the scheduler check the portals that are due."""
    clock.advance(after_s)
    await check_uninstalls(callbook.parts)
    await callbook.settle()
