"""The tab in a CRM card, inside the portal's frame."""

from playwright.async_api import Frame, Page, expect

from app.demo.acts.calls import EndingCall
from app.demo.core.state import ActivityBinding
from app.demo.rest.crm import TYPES
from tests.browser.conftest import Desk
from tests.browser.test_log import ROWS, now, until
from tests.web.logged_calls import insert_calls

CONTACT = 5
OF_CARD = EndingCall(crm_entity_type="CONTACT", crm_entity_id=CONTACT, crm_activity_id=71)
WITHOUT_ZONE = 21


async def open_card(desk: Desk, user: int = 1) -> tuple[Page, Frame]:
    page = await desk.context.new_page()
    page.set_default_timeout(15_000)
    await page.goto(f"{desk.portal.origin}/crm/contact/details/{CONTACT}/?user={user}")
    frame = await desk.app_frame(page)
    await frame.wait_for_selector('#status[data-state="live"]')
    return page, frame


async def test_a_contact_has_a_tab_with_its_calls(installed: Desk) -> None:
    await installed.portal.end_call(OF_CARD, phone_number="+14155550101")
    await installed.portal.end_call(phone_number="+14155550102")
    _, app = await open_card(installed)
    await expect(app.locator(ROWS)).to_have_count(1)
    await expect(app.locator(".cell-number")).to_have_text("+1 415-555-0101")
    await app.locator(ROWS).first.click()
    await expect(app.locator("#call")).to_be_visible()


async def test_a_call_that_ends_appears_and_the_next_one_after_a_rest(installed: Desk) -> None:
    portal = installed.portal
    await portal.end_call(OF_CARD, phone_number="+14155550101")
    page, app = await open_card(installed)
    await expect(app.locator(ROWS)).to_have_count(1)
    await app.locator("[data-open]").focus()
    await page.clock.install()
    asked = portal.counts["crm.activity.list"]
    portal.state.activity_bindings.append(ActivityBinding(72, TYPES["CONTACT"], CONTACT))
    await portal.end_call(phone_number="+14155550102", crm_activity_id=72)
    await expect(app.locator(".cell-number").first).to_have_text("+1 415-555-0102")
    await expect(app.locator(ROWS)).to_have_count(2)
    await app.evaluate("document.addEventListener('callbook:changed', () => { window.hasChanged = true; })")
    portal.state.activity_bindings.append(ActivityBinding(73, TYPES["CONTACT"], CONTACT))
    await portal.end_call(phone_number="+14155550103", crm_activity_id=73)
    await until(app, "window.hasChanged")
    await page.clock.run_for(20_000)
    await app.evaluate("callbook.session.fetch('/log/views')")
    assert portal.counts["crm.activity.list"] == asked + 1
    await page.clock.run_for(12_000)
    await expect(app.locator(ROWS)).to_have_count(3)
    assert "0101" in await app.evaluate("document.activeElement.closest('tr').textContent")


async def test_many_calls_are_read_on_while_somebody_scrolls(installed: Desk) -> None:
    card = {"crm_entity_type": "CONTACT", "crm_entity_id": CONTACT}
    await installed.portal.end_call(OF_CARD)
    at = now(installed)
    calls = [
        {**card, "call_id": f"c{number}", "started_at": at - 60 * (number + 10)} for number in range(1, 120)
    ]
    await insert_calls(installed.portal_id, *calls)
    _, app = await open_card(installed)
    await expect(app.locator(ROWS)).to_have_count(50)
    for count in (100, 120):
        await app.locator("#more button").scroll_into_view_if_needed()
        await expect(app.locator(ROWS)).to_have_count(count)
    await expect(app.locator("#more")).to_have_text("No more calls.")


async def test_a_call_that_ends_leaves_the_rest_of_a_long_list_to_be_read_on(installed: Desk) -> None:
    portal, at = installed.portal, now(installed)
    await portal.end_call(OF_CARD)
    card = {"crm_entity_type": "CONTACT", "crm_entity_id": CONTACT}
    calls = [
        {**card, "call_id": f"c{number}", "started_at": at - 60 * (number + 10)} for number in range(1, 60)
    ]
    await insert_calls(installed.portal_id, *calls)
    _, app = await open_card(installed)
    await expect(app.locator(ROWS)).to_have_count(50)
    portal.state.activity_bindings.append(ActivityBinding(72, TYPES["CONTACT"], CONTACT))
    await portal.end_call(phone_number="+14155550102", crm_activity_id=72)
    await expect(app.locator(".cell-number").first).to_have_text("+1 415-555-0102")
    await expect(app.locator(ROWS)).to_have_count(51)
    await app.locator("#more button").scroll_into_view_if_needed()
    await expect(app.locator(ROWS)).to_have_count(61)


async def test_times_are_the_browsers_where_the_profile_has_no_zone(installed: Desk) -> None:
    of_card = {"crm_entity_type": "CONTACT", "crm_entity_id": CONTACT, "user_id": WITHOUT_ZONE}
    await insert_calls(installed.portal_id, {**of_card, "started_at": 1_795_000_000})
    await installed.portal.end_call(OF_CARD)
    await installed.context.close()
    assert installed.context.browser is not None
    installed.context = await installed.context.browser.new_context(timezone_id="America/Sao_Paulo")
    _, app = await open_card(installed, WITHOUT_ZONE)
    await expect(app.locator("#zone")).to_have_text("America/Sao_Paulo")
    await expect(app.locator(".clock").first).to_contain_text("8:06")
