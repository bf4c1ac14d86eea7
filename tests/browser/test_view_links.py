"""Links to a saved view: copied in the menu, opened from the portal (placement REST_APP_URI)."""

from urllib.parse import urlencode

import pytest
from playwright.async_api import Frame, expect

from tests.browser.conftest import Desk
from tests.browser.test_log import ROWS
from tests.web.logged_calls import insert_calls


@pytest.fixture
async def desk_with_calls(installed: Desk) -> Desk:
    missed = {"code": "304", "phone_number": "111", "user_id": 1}
    answered = {"code": "200", "phone_number": "222", "user_id": 1}
    colleague_s = {"code": "200", "phone_number": "333", "user_id": installed.portal.operator.id}
    await insert_calls(installed.portal_id, missed, answered, colleague_s)
    return installed


async def save_view(frame: Frame, *, is_shared: bool) -> None:
    """Save the open log, narrowed to one number, as "Missed", and open the menu again."""
    await frame.locator("#q").fill("111")
    await expect(frame.locator(ROWS)).to_have_count(1)
    await frame.locator("#views-open").press("Enter")
    await frame.locator("#view-name").fill("Missed")
    await frame.locator("#view-form [name=shared]").set_checked(is_shared)
    await frame.get_by_role("button", name="Save as new").press("Enter")
    await expect(frame.locator("#views-open")).to_contain_text("Missed")
    await frame.locator("#views-open").press("Enter")


async def follow(desk: Desk, link: str, user: int) -> Frame:
    """Open the link as a colleague; `user` tells the stand-in which one. Returns the colleague's frame."""
    page = await desk.context.new_page()
    await page.goto(f"{link}&{urlencode({'user': user})}")
    frame = await desk.app_frame(page)
    await frame.locator(ROWS).first.wait_for()
    return frame


async def test_the_link_to_a_shared_view_is_copied_by_keyboard_and_opens_it(desk_with_calls: Desk) -> None:
    desk = desk_with_calls
    _, frame = await desk.open_log()
    await save_view(frame, is_shared=True)
    await frame.get_by_role("button", name="Copy link").press("Enter")
    await expect(frame.locator(".view-link [role=status]")).to_have_text("Copied.")
    await frame.locator("#view-name").fill("")
    await frame.locator("#view-name").press("Control+V")
    field = frame.get_by_role("textbox", name="Link to this view")
    link = await field.input_value()
    assert link.startswith(
        f"{desk.portal.origin}/marketplace/view/{desk.portal.stand_in.client_id}/?params[view]="
    )
    await expect(frame.locator("#view-name")).to_have_value(link[:60])
    opened = await follow(desk, link, 1)
    await expect(opened.locator("#views-open")).to_contain_text("Missed")
    await expect(opened.locator(ROWS)).to_have_count(1)
    assert await opened.locator("#q").input_value() == "111"
    assert await opened.locator("#view-missing").count() == 0


async def test_a_link_with_a_number_opens_the_calls_that_have_it_and_that_its_reader_may_see(
    desk_with_calls: Desk,
) -> None:
    desk = desk_with_calls
    root = f"{desk.portal.origin}/marketplace/view/{desk.portal.stand_in.client_id}/?params[number]="
    opened = await follow(desk, f"{root}22", 1)
    await expect(opened.locator(".cell-number")).to_have_text(["222"])
    assert await opened.locator("#q").input_value() == "22"
    await expect(opened.locator(".chip")).to_have_count(1)
    page = await desk.context.new_page()
    await page.goto(f"{root}22&user={desk.portal.operator.id}")
    theirs = await desk.app_frame(page)
    await theirs.get_by_text("No calls match").wait_for()


async def test_call_analytics_open_the_log_in_their_slider(desk_with_calls: Desk) -> None:
    """Open it by the item that the portal's own menu has for the application (TELEPHONY_ANALYTICS_MENU)."""
    desk = desk_with_calls
    page, _ = await desk.open_log()
    await page.get_by_role("navigation", name="Portal").get_by_role("link", name="Telephony").click()
    await page.get_by_role("navigation", name="Call analytics").get_by_text("Callbook").wait_for()
    frame = await desk.app_frame(page)
    await frame.wait_for_selector('#status[data-state="live"]')
    await expect(frame.locator(ROWS)).to_have_count(3)
    ended = await desk.portal.end_call(phone_number="+14155550107")
    assert ended.call_id
    await expect(frame.locator(".cell-number").filter(has_text="415-555-0107")).to_be_visible()
    # A slider gives the frame its own height, so the page in it scrolls, but never sideways.
    assert await frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_where_the_browser_refuses_to_copy_the_link_is_selected(desk_with_calls: Desk) -> None:
    _, frame = await desk_with_calls.open_log()
    await save_view(frame, is_shared=True)
    await frame.evaluate("document.execCommand = () => false")
    await frame.get_by_role("button", name="Copy link").click()
    await expect(frame.locator(".view-link [role=status]")).to_contain_text("Press Ctrl+C")
    field = frame.locator("#view-link")
    await expect(field).to_be_focused()
    assert await field.evaluate("it => [it.selectionStart, it.selectionEnd === it.value.length]") == [0, True]


async def test_the_link_to_a_view_that_is_gone_or_private_says_so_and_opens_all_calls(
    desk_with_calls: Desk,
) -> None:
    desk = desk_with_calls
    _, frame = await desk.open_log()
    await save_view(frame, is_shared=False)
    assert await frame.locator(".view-link").count() == 0
    view_id = await frame.locator("#views-menu").get_attribute("data-view")
    root = f"{desk.portal.origin}/marketplace/view/{desk.portal.stand_in.client_id}/?params[view]="
    for link, user, rows in ((f"{root}{view_id}", desk.portal.operator.id, 1), (f"{root}999", 1, 3)):
        opened = await follow(desk, link, user)
        await expect(opened.locator("#view-missing")).to_contain_text("cannot be opened")
        await expect(opened.locator("#views-open")).to_contain_text("All calls")
        await expect(opened.locator(ROWS)).to_have_count(rows)
