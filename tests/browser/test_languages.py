"""The log in other languages, as the portal's frame opens it."""

import pytest
from playwright.async_api import Frame, expect

from tests.browser.conftest import Desk
from tests.web.browsing import install
from tests.web.logged_calls import insert_calls

AT = 1_600_000_000  # 2020-09-13, 14:26 in Berlin


async def open_log(desk: Desk, language: str) -> Frame:
    desk.portal.state.language = language
    desk.portal_id = await install(desk.callbook, desk.portal)
    call = {"started_at": AT, "code": "304", "phone_number": "+4930123456", "is_confirmed": True}
    call |= {"cost_e4": 12_500, "currency": "EUR"}
    await insert_calls(desk.portal_id, call)
    _, frame = await desk.open_log()
    return frame


@pytest.mark.parametrize(
    ("language", "title", "outcome", "when", "cost", "sum_of_all"),
    [
        ("de", "Anrufprotokoll", "Verpasst", "13. Sept. 2020 14:26", "1,25\xa0€", "1 passender Anruf."),
        ("ru", "Журнал звонков", "Пропущен", "13 сент. 2020 г. 14:26", "1,25\xa0€", "Найден 1 звонок."),
        ("ar", "سجل المكالمات", "فائتة", "13 سبتمبر 2020 2:26 م", "\u200f1.25\xa0€", "مكالمة واحدة مطابقة."),
        ("ja", "通話履歴", "不在着信", "2020年9月13日 14:26", "€1.25", "1 件の通話が一致しました。"),
    ],
)
async def test_the_log_speaks_the_portals_language(
    desk: Desk, language: str, title: str, outcome: str, when: str, cost: str, sum_of_all: str
) -> None:
    frame = await open_log(desk, language)
    await expect(frame.locator("h1")).to_have_text(title)
    await expect(frame.locator(".outcome").first).to_have_text(outcome)
    await expect(frame.locator(".cell-time time").first).to_have_text(when)
    await expect(frame.locator(".cell-cost").first).to_have_text(cost)
    await expect(frame.locator(".sums")).to_have_attribute("data-announcement", sum_of_all)


async def test_arabic_runs_from_right_to_left_and_numbers_do_not(desk: Desk) -> None:
    frame = await open_log(desk, "ar")
    html = frame.locator("html")
    await expect(html).to_have_attribute("dir", "rtl")
    time, cost = frame.locator(".cell-time").first, frame.locator(".cell-cost").first
    first, last = await time.bounding_box(), await cost.bounding_box()
    assert first is not None
    assert last is not None
    assert first["x"] > last["x"]
    await expect(frame.locator(".cell-number bdi").first).to_have_attribute("dir", "ltr")
    assert await frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_stand_in_offers_the_portals_languages(installed: Desk) -> None:
    page, _ = await installed.open_log()
    await page.locator(".viewer summary").click()
    await page.get_by_role("navigation", name="Language").get_by_text("pl", exact=True).click()
    await expect(page.frame_locator("#app-frame").locator("h1")).to_have_text("Rejestr połączeń")
