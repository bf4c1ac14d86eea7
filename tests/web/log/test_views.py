"""Preferences and saved views, for their owner, a colleague and an administrator."""

import asyncio
from typing import Any

import httpx
import pytest

from app.calls.log.columns import COLUMNS, DEFAULT_COLUMNS, read_columns
from app.calls.log.views import MAX_VIEWS
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals.departure.erasure import CALLS_KEPT_S
from app.scheduler import erase_due
from app.web.display.links import Wanted, read_wanted
from tests.portals.portal_rows import count
from tests.running import Callbook, FakeClock
from tests.web.browsing import Tab, install, open_tab
from tests.web.logged_calls import insert_calls

DRAFT = {
    "name": "Missed",
    "is_shared": False,
    "parameters": {"outcome": "missed"},
    "columns": ["time", "number"],
}


async def send(tab: Tab, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {tab.token}"}
    return await tab.callbook.client.request(method, path, json=body, headers=headers)


async def save(tab: Tab, **changes: Any) -> int:
    answer = await send(tab, "POST", "/log/views", DRAFT | changes)
    assert answer.status_code == 200, answer.text
    return int(answer.text.partition('data-view="')[2].partition('"')[0])


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    portal_id = await install(callbook, portal)
    await insert_calls(
        portal_id,
        {"code": "304", "phone_number": "111", "user_id": 1},
        {"code": "200", "phone_number": "222", "user_id": portal.operator.id},
    )
    return portal


@pytest.mark.quick
async def test_columns_and_theme_are_the_user_s_own_and_stay(
    callbook: Callbook, portal: StandInPortal
) -> None:
    tab = await open_tab(callbook, portal)
    assert 'data-theme="auto"' in tab.page.text
    for body in ({"columns": ["cost", "number", "bogus", "cost"]}, {"theme": "dark"}):
        assert (await send(tab, "POST", "/log/preferences", body)).status_code == 204
    again = (await open_tab(callbook, portal)).page.text
    assert 'data-theme="dark"' in again
    assert 'name="columns" value="cost,number"' in again
    assert 'class="cell-cost"' in again
    assert 'class="cell-time"' not in again
    other = (await open_tab(callbook, portal, portal.operator.id)).page.text
    assert 'data-theme="auto"' in other
    assert f'name="columns" value="{",".join(DEFAULT_COLUMNS)}"' in other


@pytest.mark.parametrize("body", ["x", {"theme": "blue"}, {"columns": "time"}, {"columns": [1]}])
async def test_a_choice_that_is_none_is_refused(callbook: Callbook, portal: StandInPortal, body: Any) -> None:
    tab = await open_tab(callbook, portal)
    assert (await send(tab, "POST", "/log/preferences", body)).status_code == 400


def test_columns_are_read_from_any_names() -> None:
    assert read_columns(["", "x"]) == DEFAULT_COLUMNS
    assert read_columns(["cost", "time", "cost"]) == ("number", "cost", "time")
    assert read_columns(reversed(COLUMNS)) == tuple(reversed(COLUMNS))


async def test_a_view_opens_by_its_id_and_by_a_link(callbook: Callbook, portal: StandInPortal) -> None:
    tab = await open_tab(callbook, portal)
    view_id = await save(tab)
    opened = await tab.get("/log/panel", view=str(view_id))
    linked = await portal.open_page("/", options={"view": str(view_id)})
    for page in (opened, linked):
        assert ("111" in page.text, ">222<" in page.text) == (True, False)
        assert 'value="missed" checked' in page.text
        assert 'name="columns" value="time,number"' in page.text
    whole = await tab.get("/log/panel")
    assert ">222<" in whole.text


@pytest.mark.quick
async def test_a_shared_view_shows_everybody_their_own_calls(
    callbook: Callbook, portal: StandInPortal
) -> None:
    admin = await open_tab(callbook, portal)
    mine, shared = await save(admin), await save(admin, name="All", is_shared=True, parameters={})
    operator = await open_tab(callbook, portal, portal.operator.id)
    menu = (await operator.get("/log/views")).text
    assert (f'data-open-view="{shared}"' in menu, f'data-open-view="{mine}"' in menu) == (True, False)
    assert "data-delete-view" not in menu
    page = (await operator.get("/log/panel", view=str(shared))).text
    assert ("111" in page, ">222<" in page) == (False, True)
    for method, body in (("PUT", DRAFT), ("DELETE", None)):
        assert (await send(operator, method, f"/log/views/{shared}", body)).status_code == 403
        assert (await send(operator, method, f"/log/views/{mine}", body)).status_code == 404
    assert (await operator.get("/log/panel", view=str(mine))).status_code == 404


async def test_an_administrator_changes_what_is_shared(callbook: Callbook, portal: StandInPortal) -> None:
    operator = await open_tab(callbook, portal, portal.operator.id)
    admin = await open_tab(callbook, portal)
    shared = await save(operator, is_shared=True)
    assert (await send(admin, "PUT", f"/log/views/{shared}", DRAFT | {"name": "Renamed"})).status_code == 200
    assert "Renamed" in (await operator.get("/log/views")).text  # It still belongs to its owner.
    assert "Renamed" not in (await admin.get("/log/views")).text  # It is no longer shared.
    assert (await send(operator, "DELETE", f"/log/views/{shared}")).status_code == 200
    assert "Renamed" not in (await operator.get("/log/views")).text


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"name": "x" * 61},
        {"parameters": {"outcome": "lost"}},
        {"parameters": {"period": "ever"}},
        {"parameters": {"operator": "," * 9_000 + "1"}},
        {"columns": "time"},
        {"name": None},
    ],
)
async def test_what_could_not_be_opened_again_is_not_saved(
    callbook: Callbook, portal: StandInPortal, changes: dict[str, Any]
) -> None:
    tab = await open_tab(callbook, portal)
    answer = await send(tab, "POST", "/log/views", DRAFT | changes)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert await count(callbook, "saved_views") == 0


async def test_nobody_saves_without_end(callbook: Callbook, portal: StandInPortal) -> None:
    tab = await open_tab(callbook, portal)
    for number in range(MAX_VIEWS):
        await save(tab, name=f"View {number}")
    refused = await send(tab, "POST", "/log/views", DRAFT)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_view")


async def test_nobody_saves_more_by_saving_at_once(callbook: Callbook, portal: StandInPortal) -> None:
    tab = await open_tab(callbook, portal)
    for number in range(MAX_VIEWS - 1):
        await save(tab, name=f"View {number}")
    answers = await asyncio.gather(*(send(tab, "POST", "/log/views", DRAFT) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 7]
    assert await count(callbook, "saved_views") == MAX_VIEWS


async def test_a_portal_shares_no_more_views_than_a_menu_can_hold(
    callbook: Callbook, portal: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.calls.log.views.MAX_SHARED", 2)
    tab = await open_tab(callbook, portal)
    others = await open_tab(callbook, portal, portal.operator.id)
    shared = [await save(tab, is_shared=True), await save(others, is_shared=True)]
    own = await save(tab)
    for method, path in (("POST", "/log/views"), ("PUT", f"/log/views/{own}")):
        refused = await send(tab, method, path, DRAFT | {"is_shared": True})
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_view")
        assert refused.json()["detail"].startswith("Your Bitrix24 already has 2 shared views.")
    path = f"/log/views/{shared[0]}"
    assert (await send(tab, "PUT", path, DRAFT | {"is_shared": True, "name": "W"})).status_code == 200
    assert (await send(tab, "DELETE", path)).status_code == 200
    assert (await send(tab, "PUT", f"/log/views/{own}", DRAFT | {"is_shared": True})).status_code == 200


async def test_an_uninstall_erases_preferences_at_once_and_views_with_the_calls(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    tab = await open_tab(callbook, portal)
    await save(tab)
    await send(tab, "POST", "/log/preferences", {"theme": "dark"})
    assert [await count(callbook, table) for table in ("user_preferences", "saved_views")] == [1, 1]
    await portal.uninstall(clean=False)
    await callbook.settle()
    assert [await count(callbook, table) for table in ("user_preferences", "saved_views")] == [0, 1]
    clock.advance(CALLS_KEPT_S)
    await erase_due(callbook.parts)
    await callbook.settle()
    assert await count(callbook, "saved_views") == 0


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ('{"view": "12"}', Wanted(view=12)),
        ('{"view": 12}', Wanted(view=12)),
        ('{"number": " 4930123 ", "other": "x"}', Wanted(number="4930123")),
        ('{"call": "externalCall.1"}', Wanted(call="externalCall.1")),
        ('{"number": "' + "1" * 300 + '"}', Wanted(number="1" * 255)),
        *[(text, Wanted()) for text in ("", "[]", '"undefined"', "x", '{"view": "x"}', '{"call": []}')],
    ],
)
def test_a_link_names_what_it_asks_for_or_nothing(options: str, wanted: Wanted) -> None:
    assert read_wanted(options) == wanted


async def test_a_shared_view_has_a_link_once_the_portal_has_told_the_code_of_the_app(
    callbook: Callbook, portal: StandInPortal
) -> None:
    await callbook.run_sql("UPDATE portals SET app_code = 'vendor.call/book'")
    tab = await open_tab(callbook, portal, portal.operator.id)
    view_id, own_id = await save(tab, is_shared=True), await save(tab, name="Mine")
    shown = (await tab.get("/log/views", view=view_id)).text
    assert f'value="{portal.origin}/marketplace/view/vendor.call%2Fbook/?params[view]={view_id}"' in shown
    assert "view-link" not in (await tab.get("/log/views", view=own_id)).text
    assert "view-link" not in (await tab.get("/log/views")).text
    await callbook.run_sql("UPDATE portals SET app_code = ''")
    tab = await open_tab(callbook, portal, portal.operator.id)
    assert "view-link" not in (await tab.get("/log/views", view=view_id)).text
