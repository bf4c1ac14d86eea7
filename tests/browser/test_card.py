"""The tab in a CRM card, inside the portal's frame."""

from playwright.async_api import expect

from app.demo.calls import EndingCall
from tests.browser.conftest import Desk
from tests.browser.test_log import ROWS


async def test_a_contact_has_a_tab_with_its_calls(installed: Desk) -> None:
    known = EndingCall(crm_entity_type="CONTACT", crm_entity_id=5, crm_activity_id=71)
    await installed.portal.end_call(known, phone_number="+14155550101")
    await installed.portal.end_call(phone_number="+14155550102")
    page = await installed.context.new_page()
    await page.goto(f"{installed.portal.origin}/crm/contact/details/5/?user=1")
    app = page.frame_locator("#app-frame")
    await expect(app.locator(ROWS)).to_have_count(1)
    await expect(app.locator(".cell-number")).to_have_text("+1 415-555-0101")
    await app.locator(ROWS).first.click()
    await expect(app.locator("#call")).to_be_visible()
