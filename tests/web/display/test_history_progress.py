"""The line above the log with the progress of the history."""

import re

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from tests.calls.statistics_rows import fill, read_mark, read_portal
from tests.running import Callbook, FakeClock
from tests.web.browsing import Tab, install, open_tab
from tests.web.log.test_live_updates import follow

LINE = re.compile(r'<p id="history".*?</p>', re.DOTALL)
TAGS = re.compile(r"<[^>]+>")


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


def read_line(html: str) -> str:
    found = LINE.search(html)
    assert found is not None
    return " ".join(TAGS.sub("", found[0]).split())


async def begin_again(callbook: Callbook, portal: StandInPortal, rows: int) -> None:
    await callbook.run_sql("DELETE FROM statistics_marks")
    fill(portal, range(1, rows + 1))


async def read_row_lines(tab: Tab) -> str:
    return read_line((await tab.get("/log/rows")).text)


@pytest.mark.quick
async def test_the_line_follows_the_history(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    portal.admin.time_zone = "Europe/Berlin"
    await install(callbook, portal)
    await begin_again(callbook, portal, 20_000)
    tab = await open_tab(callbook, portal)
    assert read_line(tab.page.text) == "Reading history…"
    portal.execution_s = 2.0
    await callbook.parts.histories.run_slice(await read_portal(portal))
    mark = await read_mark(portal)
    expected = f"Reading history: {mark.rows_done:,} of about 20,000"
    assert await read_row_lines(tab) == expected
    assert '<progress value="0.' in (await tab.get("/log/rows", q="no such number")).text
    plain = await open_tab(callbook, portal, portal.operator.id)
    assert read_line(plain.page.text) == "Reading history…"
    await callbook.run_sql("UPDATE statistics_marks SET history_state = 'failed'")
    assert "tries again" in await read_row_lines(tab)
    await callbook.run_sql("UPDATE statistics_marks SET history_state = 'complete', audited_at = 1")
    assert re.fullmatch(r"All calls until \d+:\d\d\s[AP]M are in the log", await read_row_lines(tab))
    clock.advance(400)
    await callbook.run_sql("UPDATE statistics_marks SET read_up_to = read_up_to - 86400 * 3")
    assert re.fullmatch(
        r"All calls until \w+ \d+, \d+:\d\d\s[AP]M, are in the log", await read_row_lines(tab)
    )


async def test_an_open_page_hears_of_every_step_and_not_of_a_step_that_changes_nothing(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    callbook.parts.streams.pause_s, callbook.parts.streams.recheck_s = 0.01, 0.05
    await install(callbook, portal)
    found = await read_portal(portal)
    async with follow(await open_tab(callbook, portal)) as events:
        assert await anext(events) == "changed"
        clock.advance(5)
        await callbook.parts.histories.catch_up(found)
        assert await anext(events) == "changed"
