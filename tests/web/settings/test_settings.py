"""The settings of a portal: the users that may change them, the refused values, and the effects."""

from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals.settings.portal_settings import RETENTION_MONTHS, PortalSettings, months_before
from app.portals.settings.settings_queries import find_settings
from app.web.settings.form import check_settings
from tests.running import Callbook, FakeClock
from tests.web.browsing import install, open_tab
from tests.web.logged_calls import NOW, insert_calls
from tests.web.settings_forms import post_settings

DAY_S = 86_400


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


async def test_an_administrator_sees_and_changes_them(callbook: Callbook, portal: StandInPortal) -> None:
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"portal_number": "+493023125000"})
    tab = await open_tab(callbook, portal)
    assert 'id="open-settings"' in tab.page.text
    shown = await tab.get("/settings")
    assert shown.status_code == 200
    assert "+49 30 23125000" in shown.text
    lines = {"+493023125000": "  Front   desk "}
    answer = await post_settings(tab, lines, employees_see="department", time_zone="Asia/Tokyo", locale="de")
    assert answer.status_code == 200, answer.text
    assert await find_settings(portal_id) == PortalSettings(
        employees_see="department",
        time_zone="Asia/Tokyo",
        locale="de",
        line_names={"+493023125000": "Front desk"},
    )


@pytest.mark.quick
async def test_a_plain_user_neither_sees_nor_changes_them(callbook: Callbook, portal: StandInPortal) -> None:
    portal_id = await install(callbook, portal)
    tab = await open_tab(callbook, portal, portal.operator.id)
    assert "open-settings" not in tab.page.text
    refused = await tab.get("/settings")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_admin")
    refused = await post_settings(tab, employees_see="all")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_admin")
    assert await find_settings(portal_id) == PortalSettings()
    assert (await callbook.client.get("/settings")).status_code == 401


@pytest.mark.quick
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"time_zone": "Berlin"}, "This time zone does not exist"),
        ({"locale": "tlh"}, "does not speak this language"),
        ({"heads_see": "everything"}, "Choose which calls they see"),
        ({"retention_months": "7"}, "Choose how long calls are kept"),
        ({"retention_months": "\u0661"}, "Choose how long calls are kept"),
        ({"lines": {"1": "x" * 65}}, "at most 64 characters"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_stored(
    callbook: Callbook, portal: StandInPortal, changes: dict[str, Any], sentence: str
) -> None:
    portal_id = await install(callbook, portal)
    answer = await post_settings(await open_tab(callbook, portal), employees_see="all", **changes)
    assert answer.status_code == 200
    assert sentence in answer.text
    assert "Nothing is saved yet" in answer.text
    assert await find_settings(portal_id) == PortalSettings()


async def test_what_changed_is_logged_without_what_it_says(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    with capture_logs() as logs:
        await post_settings(await open_tab(callbook, portal), {"+14155550142": "Anna"}, employees_see="all")
    line = next(entry for entry in logs if entry["event"] == "settings changed")
    assert line["changed"] == ["employees_see", "line_names"]
    assert "Anna" not in str(logs)
    assert "14155550142" not in str(logs)


async def test_removing_calls_wants_a_confirmation(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"started_at": clock.now() - 100 * DAY_S}, {"started_at": clock.now()})
    tab = await open_tab(callbook, portal)
    asked = await post_settings(tab, retention_months="3")
    assert "Remove 1 older call for good" in asked.text
    assert (await find_settings(portal_id)).retention_months is None
    assert (await post_settings(tab, retention_months="3", confirm_removal="1")).status_code == 200
    assert (await find_settings(portal_id)).retention_months == 3
    # A longer time removes nothing.
    assert (await post_settings(tab, retention_months="6")).status_code == 200


async def test_the_time_zone_and_the_language_are_those_of_the_portal_at_once(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"started_at": 1_795_003_200})  # 2026-11-18 12:00 UTC
    tab = await open_tab(callbook, portal)
    await post_settings(tab, time_zone="Asia/Tokyo", locale="de")
    rows = await tab.get("/log/rows")
    assert rows.headers["content-language"] == "de"
    assert "21:00" in rows.text
    ids = await tab.list_ids(**{"from": "2026-11-18T20:59:59", "to": "2026-11-18T21:00:01"})
    assert ids == ["call-0"]


async def test_a_name_of_a_line_stands_in_the_log_and_the_api_keeps_the_number(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"portal_number": "reg133788"})
    tab = await open_tab(callbook, portal)
    await post_settings(tab, {"reg133788": "Front <b>desk"})
    rows = (await tab.get("/log/rows")).text
    assert "Front &lt;b&gt;desk" in rows
    assert 'title="reg133788"' in rows
    assert (await tab.get("/api/v1/calls")).json()["items"][0]["portal_number"] == "reg133788"


async def test_missing_departments_are_explained(callbook: Callbook, portal: StandInPortal) -> None:
    portal.installation.scope.remove("department")
    await install(callbook, portal)
    shown = (await (await open_tab(callbook, portal)).get("/settings")).text
    assert "lacks the permission" in shown


async def test_settings_outlive_a_reinstallation_and_go_with_the_data(
    callbook: Callbook, portal: StandInPortal
) -> None:
    portal_id = await install(callbook, portal)
    await post_settings(await open_tab(callbook, portal), employees_see="all")
    await portal.uninstall(clean=False)
    await callbook.settle()
    assert await install(callbook, portal) == portal_id
    assert (await find_settings(portal_id)).employees_see == "all"
    await portal.uninstall(clean=True)
    await callbook.settle()
    assert await callbook.run_sql("SELECT * FROM portal_settings") == []


def test_a_form_that_says_little_changes_little() -> None:
    current = PortalSettings(employees_see="all", retention_months=6, line_names={"1": "One"})
    assert check_settings([], current) == (current, {})
    assert check_settings([("heads_see", "own")], current).settings.heads_see == "own"


@pytest.mark.parametrize(
    ("months", "day"),
    [(1, "2026-10-18"), (3, "2026-08-18"), (12, "2025-11-18"), (9, "2026-02-18")],
)
def test_months_are_those_of_the_calendar(months: int, day: str) -> None:
    assert datetime.fromtimestamp(months_before(NOW, months), UTC).date().isoformat() == day


def test_a_shorter_month_gives_its_end() -> None:
    march_31 = 1_774_958_400  # 2026-03-31 12:00 UTC
    assert months_before(march_31, 1) == march_31 - 30 * DAY_S - DAY_S // 2  # 2026-03-01 00:00 UTC


@pytest.mark.parametrize("months", RETENTION_MONTHS)
def test_what_is_removed_is_never_to_be_kept_again_later(months: int) -> None:
    moments = range(NOW, NOW + 3 * 366 * DAY_S, 6 * 3600 + 1)
    kept_from = [months_before(moment, months) for moment in moments]
    assert kept_from == sorted(kept_from)
