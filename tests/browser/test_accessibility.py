"""Every page of the tab under axe-core, light, dark and from right to left."""

from typing import Literal

import pytest
from playwright.async_api import Frame, Page, expect

from tests.browser.axe import find_violations
from tests.browser.conftest import Desk
from tests.calls.statistics_rows import make_row
from tests.web.browsing import install

LOOKS = [("light", "en"), ("dark", "en"), ("light", "ar")]


def lay_calls(desk: Desk) -> None:
    """Write calls of each kind into the portal's own statistics, so that no column and no fact is empty."""
    now = desk.callbook.parts.clock.now()
    for number, code in enumerate(("200", "304", "603", "603-S", "486", "480", "OTHER"), 1):
        places = {"record_url": "https://media.example.com/1.mp3", "vote": 4} if code == "200" else {}
        row = make_row(
            number,
            started_at=now - 600 + number,
            code=code,
            crm_entity_type="CONTACT",
            crm_entity_id=214,
            cost="0.1450",
            **places,
        )
        desk.portal.state.statistics.append(row)


async def open_log(desk: Desk, scheme: Literal["light", "dark"], language: str) -> tuple[Page, Frame]:
    desk.portal.state.language = language
    lay_calls(desk)
    desk.portal_id = await install(desk.callbook, desk.portal)
    page, frame = await desk.open_log()
    await page.emulate_media(color_scheme=scheme)
    await expect(frame.locator("tr[data-call-id]")).to_have_count(7)
    return page, frame


@pytest.mark.parametrize(("scheme", "language"), LOOKS)
async def test_the_log_and_each_of_its_menus_have_no_violation(
    desk: Desk, scheme: Literal["light", "dark"], language: str
) -> None:
    page, frame = await open_log(desk, scheme, language)
    assert await find_violations(page, frame) == []
    menus = frame.locator("[popovertarget], summary, [aria-expanded]")
    assert await menus.count() >= 5
    for index in range(await menus.count()):
        menu = menus.nth(index)
        if await menu.is_visible():
            await menu.click()
            assert await find_violations(page, frame) == [], await menu.inner_text()
            await page.keyboard.press("Escape")


@pytest.mark.parametrize(("scheme", "language"), LOOKS)
async def test_a_call_and_the_settings_have_no_violation(
    desk: Desk, scheme: Literal["light", "dark"], language: str
) -> None:
    page, frame = await open_log(desk, scheme, language)
    await frame.locator("tr[data-call-id]").last.click()
    await frame.locator("#call [data-part=facts]").wait_for()
    assert await find_violations(page, frame) == []
    await page.keyboard.press("Escape")
    await frame.locator("#open-settings").click()
    await expect(frame.locator("#portal-settings h1")).to_be_focused()
    assert await find_violations(page, frame) == []


@pytest.mark.parametrize(("scheme", "language"), LOOKS)
async def test_the_tab_of_a_crm_card_has_no_violation(
    desk: Desk, scheme: Literal["light", "dark"], language: str
) -> None:
    page, _ = await open_log(desk, scheme, language)
    await page.goto(f"{desk.portal.origin}/crm/contact/details/214/?user=1")
    frame = await desk.app_frame(page)
    await expect(frame.locator("tr[data-call-id]")).to_have_count(7)
    assert await find_violations(page, frame) == []


@pytest.mark.parametrize(("scheme", "language"), LOOKS)
async def test_the_installer_has_no_violation(
    desk: Desk, scheme: Literal["light", "dark"], language: str
) -> None:
    desk.portal.state.language = language
    desk.portal.stand_in.fail("event.bind", code="ERROR_CORE")  # So that the wizard stays at its step.
    desk.portal.add_app()
    page, frame = await desk.open()
    await page.emulate_media(color_scheme=scheme)
    await frame.locator('#wizard[data-state="failed"]').wait_for()
    assert await find_violations(page, frame) == []
