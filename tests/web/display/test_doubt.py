"""The words of the tab while the owner of the token does not see all calls, and whether those calls count."""

from html import unescape

import pytest

from app.demo.stand_in import StandIn
from tests.running import Callbook
from tests.web.browsing import install, open_tab


@pytest.mark.parametrize(
    ("counts_all", "title"),
    [
        (True, "Calls of several employees are not confirmed"),
        (False, "Bitrix24 no longer shows Callbook some calls"),
    ],
)
async def test_the_tab_says_which_calls_are_hidden_and_what_helps(
    callbook: Callbook, stand_in: StandIn, title: str, *, counts_all: bool
) -> None:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    tab = await open_tab(callbook, portal)
    assert "Grant" not in (await tab.get("/log/rows")).text
    await callbook.run_sql(f"UPDATE statistics_marks SET is_limited = true, counts_all = {counts_all}")
    told = unescape((await tab.get("/log/rows")).text)
    assert title in told
    assert f"Grant {portal.admin.full_name} the right" in told
    assert (await tab.get("/api/v1/sync")).json()["limited"]["owner"] == portal.admin.full_name
