"""The portal whose statistics are read."""

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]
