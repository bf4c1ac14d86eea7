"""A studio, and a server of recordings."""

from collections.abc import AsyncIterator

import pytest

from app.demo.recordings import record_url
from app.demo.stand_in import StandIn
from tests.calls.statistics_rows import read_portal
from tests.running import Callbook
from tests.web.browsing import install, open_tab
from tests.web.call.studio import Studio
from tests.web.recording_server import Source, serve_source


@pytest.fixture
async def studio(callbook: Callbook, stand_in: StandIn) -> Studio:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    ended = await portal.end_call(phone_number="+12025550143", crm_activity_id=7001)
    row = ended.rows[0]
    portal.change_row(row.id, record_url=record_url(portal, "one"))
    await callbook.parts.histories.catch_up(await read_portal(portal))
    return Studio(callbook, portal, await open_tab(callbook, portal), ended.call_id, row.id)


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with serve_source() as served:
        yield served
