"""The tab shows the history while it is read."""

import asyncio

from playwright.async_api import expect

from app.portals import queries
from tests.browser.conftest import Desk
from tests.calls.statistics_rows import fill


async def test_the_tab_shows_how_far_the_history_is_and_then_up_to_when_it_is_complete(
    installed: Desk,
) -> None:
    portal, callbook = installed.portal, installed.callbook
    await callbook.run_sql("DELETE FROM statistics_marks")
    fill(portal, range(1, 1_201))
    _, frame = await installed.open_log()
    line = frame.locator("#history")
    await expect(line).to_have_text("Reading history…")

    found = await queries.find_portal(portal.member_id)
    assert found is not None
    first = portal.stand_in.hold("batch", portal=portal, times=1)
    reading = asyncio.create_task(callbook.parts.histories.run_slice(found))
    await first.reached()
    second = portal.stand_in.hold("batch", portal=portal, times=1)
    first.release()
    await second.reached()
    await expect(line).to_have_text("Reading history: 50 of about 1,200")
    assert await line.locator("progress").evaluate("bar => Math.round(bar.value * 1200)") == 50
    await expect(frame.locator("tr[data-id]")).to_have_count(50)

    second.release()
    mark = await reading
    assert mark is not None
    assert mark.complete_up_to is not None
    await expect(line).to_contain_text("All calls until")
    shown = await line.locator("time").get_attribute("datetime")
    assert shown is not None
    assert shown.endswith("Z")
    await expect(line.locator("progress")).to_have_count(0)
