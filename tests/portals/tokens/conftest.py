"""Two installed portals."""

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from tests.running import Callbook


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    for portal in stand_in.portals:
        portal.add_app()
        await portal.install(callbook.url)
    await callbook.settle()
    return stand_in.portals[0]
