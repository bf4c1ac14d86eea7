"""An installed portal with a call."""

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from tests.running import Callbook


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    """One portal with a call; the other one is not installed."""
    portal = stand_in.portals[0]
    portal.add_app()
    await portal.install(callbook.url)
    await callbook.settle()
    await portal.end_call()
    await portal.end_call(data={"CALL_DURATION": "long"})
    return portal
