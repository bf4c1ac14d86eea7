"""The settings in the frame: by keyboard, refused, confirmed, stored, and nothing for plain users."""

from typing import Literal

import pytest
from playwright.async_api import Frame, expect

from app.portals.settings.settings_queries import find_settings
from tests.browser.axe import find_violations
from tests.browser.conftest import Desk
from tests.pictures.__main__ import FRAME_ALONE, PHONE
from tests.web.logged_calls import insert_calls


async def open_settings(frame: Frame) -> None:
    await frame.locator("#open-settings").focus()
    await frame.page.keyboard.press("Enter")
    await expect(frame.locator("#portal-settings h1")).to_be_focused()


async def test_an_administrator_sets_what_others_see_by_keyboard(installed: Desk) -> None:
    await insert_calls(installed.portal_id, {"portal_number": "reg133788", "user_id": 14})
    page, frame = await installed.open_log()
    await open_settings(frame)
    await expect(frame.locator("#filters")).to_be_hidden()
    await frame.locator("#employees_see").select_option("all")
    await frame.locator("[name='line_name']").fill("Front desk")
    await frame.locator("#time_zone").fill("Nowhere/City")
    await page.keyboard.press("Enter")
    await expect(frame.locator("#time_zone")).to_be_focused()
    await expect(frame.locator("#error-time_zone")).to_contain_text("This time zone does not exist")
    assert (await find_settings(installed.portal_id)).employees_see == "own"

    await frame.locator("#time_zone").fill("Asia/Tokyo")
    await page.keyboard.press("Enter")
    await expect(frame.locator("[data-said]")).to_be_focused()
    await expect(frame.locator("[data-said]")).to_contain_text("Saved.")
    assert (await find_settings(installed.portal_id)).employees_see == "all"

    await page.keyboard.press("Escape")
    await expect(frame.locator("#open-settings")).to_be_focused()
    await expect(frame.locator("#zone")).to_have_text("Asia/Tokyo")
    await expect(frame.locator(".cell-line")).to_have_text("Front desk")


async def test_a_right_that_is_given_shows_its_calls_in_an_open_tab(installed: Desk) -> None:
    await insert_calls(
        installed.portal_id, {"call_id": "hers", "user_id": 14}, {"call_id": "his", "user_id": 12}
    )
    _, plain = await installed.open_log(user=12)
    await expect(plain.locator("tr[data-id]")).to_have_count(1)
    await expect(plain.locator("#open-settings")).to_have_count(0)
    _, frame = await installed.open_log()
    await open_settings(frame)
    await frame.locator("#employees_see").select_option("department")
    await frame.locator("#settings-form [type='submit']").click()
    await expect(plain.locator("tr[data-id]")).to_have_count(2)
    await frame.locator("#employees_see").select_option("own")
    await frame.locator("#settings-form [type='submit']").click()
    await expect(plain.locator("tr[data-id]")).to_have_count(1)


async def test_what_removes_calls_is_confirmed_first(installed: Desk) -> None:
    await insert_calls(installed.portal_id, {"started_at": 1_600_000_000})
    _, frame = await installed.open_log()
    await open_settings(frame)
    await frame.locator("#retention_months").select_option("12")
    await frame.locator("#settings-form [type='submit']").click()
    await expect(frame.locator("[name='confirm_removal']")).to_be_focused()
    await frame.locator("[name='confirm_removal']").check()
    await frame.locator("#settings-form [type='submit']").click()
    await expect(frame.locator("[data-said]")).to_contain_text("Saved.")
    assert (await find_settings(installed.portal_id)).retention_months == 12


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
async def test_the_page_has_no_violation_and_no_scroll_bar_sideways(
    installed: Desk, scheme: Literal["light", "dark"], width: int
) -> None:
    await insert_calls(installed.portal_id, {"portal_number": "+493023125000"})
    page, frame = await installed.open_log()
    await page.emulate_media(color_scheme=scheme)
    if width < PHONE:  # Bitrix24's mobile app shows the frame alone.
        await page.evaluate(FRAME_ALONE)
    await page.set_viewport_size({"width": width, "height": 800})
    await open_settings(frame)
    root = "document.documentElement"
    assert not await frame.evaluate(f"{root}.scrollWidth > {root}.clientWidth")
    assert await find_violations(page, frame) == []
