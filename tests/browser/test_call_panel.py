"""The panel of one call, in the portal's frame."""

from dataclasses import replace

from playwright.async_api import Frame, Page, expect

from tests.browser.conftest import Desk
from tests.browser.test_log import now, until
from tests.patience import wait_until
from tests.pictures.__main__ import FRAME_ALONE
from tests.web.logged_calls import insert_calls

NUMBER = "+12025550143"


async def lay_calls(desk: Desk, count: int = 3) -> None:
    """Write calls with one number, the newest first; the newest has a contact."""
    at = now(desk)
    calls = [{"call_id": f"c{n}", "started_at": at - 60 * n, "phone_number": NUMBER} for n in range(count)]
    calls[0] |= {"crm_entity_type": "CONTACT", "crm_entity_id": 214}
    await insert_calls(desk.portal_id, *calls)


async def open_call(frame: Frame, position: int = 0) -> None:
    await frame.locator("tr[data-call-id]").nth(position).click()
    await frame.locator("#call [data-part=facts]").wait_for()


async def commands(page: Page, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = await page.evaluate(
        "name => receivedCommands.filter((one) => one.command === name).map((one) => one.params)", name
    )
    return found


async def test_a_click_opens_the_panel_and_escape_gives_the_focus_back(installed: Desk) -> None:
    await lay_calls(installed)
    page, frame = await installed.open_log()
    await open_call(frame)
    panel = frame.get_by_role("dialog", name="+1 202-555-0143")
    await expect(panel).to_be_visible()
    assert await frame.evaluate("document.activeElement.id") == "call-title"
    # The dialog is modal: Tab stays in it or goes to the browser, and reaches nothing behind it.
    assert await frame.evaluate("document.querySelector('#call').matches(':modal')")
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await frame.evaluate("document.activeElement.closest('#call, body').id") in {"call", ""}
    await frame.locator("#call").focus()
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await until(frame, "document.activeElement.closest('tr')?.dataset.callId === 'c0'")


async def test_enter_opens_it_the_shade_and_the_cross_close_it(installed: Desk) -> None:
    await lay_calls(installed)
    page, frame = await installed.open_log()
    await frame.locator("[data-open]").nth(1).focus()
    await page.keyboard.press("Enter")
    await frame.locator("#call [data-part=facts]").wait_for()
    await frame.get_by_role("button", name="Close").click()
    await expect(frame.locator("#call")).to_be_hidden()
    await until(frame, "document.activeElement.closest('tr')?.dataset.callId === 'c1'")
    await open_call(frame)
    await page.mouse.click(260, 400)
    await expect(frame.locator("#call")).to_be_hidden()


async def test_selecting_text_in_a_row_opens_nothing(installed: Desk) -> None:
    await lay_calls(installed)
    page, frame = await installed.open_log()
    number = frame.locator("tr[data-call-id] .cell-number bdi").first
    await number.hover()  # Waits until the list stands still.
    box = await number.bounding_box()
    assert box is not None
    await number.hover(position={"x": 4, "y": box["height"] / 2})
    await page.mouse.down()
    await number.hover(position={"x": box["width"] - 4, "y": box["height"] / 2})
    await page.mouse.up()
    assert await frame.evaluate("getSelection().toString()") != ""
    await expect(frame.locator("#call")).to_be_hidden()


async def test_the_crm_card_opens_in_the_portal_and_its_closing_is_noticed(installed: Desk) -> None:
    await lay_calls(installed)
    page, frame = await installed.open_log()
    await open_call(frame)
    await frame.get_by_role("button", name="Open the contact").click()
    await page.get_by_role("heading", name="/crm/contact/details/214/").wait_for()
    assert (await commands(page, "openPath"))[-1] == {"path": "/crm/contact/details/214/"}
    changed = "UPDATE calls SET crm_entity_type = 'COMPANY', crm_entity_id = 9 WHERE call_id = 'c0'"
    await installed.callbook.run_sql(changed)
    await page.locator("#path-close").click()
    await frame.get_by_role("button", name="Open the company").wait_for()


async def test_a_card_that_the_portal_does_not_open_is_told(installed: Desk) -> None:
    await lay_calls(installed)
    page, frame = await installed.open_log()
    await open_call(frame)
    button = frame.get_by_role("button", name="Open the contact")
    await button.evaluate("button => { button.dataset.openPath = '/crm/quote/details/1/'; }")
    await button.click()
    await frame.get_by_text("Bitrix24 cannot open this card from here.").wait_for()
    await page.evaluate("window.errorOfOpenPath = 'METHOD_NOT_SUPPORTED_ON_DEVICE'")
    await button.click()
    await frame.get_by_text("Bitrix24's mobile app cannot open this card").wait_for()
    await expect(button).to_be_hidden()


async def test_a_device_that_opens_no_cards_is_offered_none(installed: Desk) -> None:
    await lay_calls(installed)
    assert installed.context.browser is not None
    agent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36 BitrixMobile"
    async with await installed.context.browser.new_context(user_agent=agent) as context:
        page, frame = await replace(installed, context=context).open_log()
        await open_call(frame)
        await expect(frame.get_by_role("button", name="Call", exact=True)).to_be_visible()
        await expect(frame.locator("[data-open-path]")).to_be_hidden()
        assert await commands(page, "openPath") == [{"path": ""}]


async def test_the_link_to_a_call_is_copied_and_opens_its_panel_for_viewers_of_the_call(
    installed: Desk,
) -> None:
    await lay_calls(installed)
    page, frame = await installed.open_log()
    await open_call(frame, 1)
    await frame.get_by_role("button", name="Copy link").click()
    await frame.get_by_text("Copied.").wait_for()
    link = await frame.locator("[data-link]").input_value()
    root = f"{installed.portal.origin}/marketplace/view/{installed.portal.stand_in.client_id}/?params"
    assert link == f"{root}[call]=c1"
    await page.goto(f"{link}&user=1")
    opened = await installed.app_frame(page)
    await opened.locator("#call [data-part=facts]").wait_for()
    await expect(opened.locator("#call-neighbours")).to_be_visible()
    assert await opened.locator("#call .is-current").count() == 1
    await opened.get_by_role("button", name="Close").click()
    await expect(opened.locator("tr[data-call-id]")).to_have_count(3)
    await page.goto(f"{link}&user={installed.portal.operator.id}")
    refused = await installed.app_frame(page)
    await refused.get_by_role("heading", name="This call cannot be shown").wait_for()
    # Chromium itself writes a line about an answer of 404.
    installed.console[:] = [line for line in installed.console if "404" not in line]


async def test_the_link_can_be_copied_by_hand_where_the_browser_refuses(installed: Desk) -> None:
    await lay_calls(installed)
    _, frame = await installed.open_log()
    await frame.evaluate("document.execCommand = () => false")
    await open_call(frame)
    await frame.get_by_role("button", name="Copy link").click()
    await frame.get_by_text("Press Ctrl+C").wait_for()
    field = frame.get_by_role("textbox", name="Link to this call")
    await expect(field).to_be_focused()
    assert await field.evaluate("it => it.selectionEnd === it.value.length && it.value.length > 20")


async def test_calling_back_asks_the_portal_and_waits_for_nothing(installed: Desk) -> None:
    await lay_calls(installed)
    page, frame = await installed.open_log()
    await open_call(frame)
    await frame.get_by_role("button", name="Call", exact=True).click()
    await frame.get_by_text("Calling…").wait_for()
    await page.get_by_text(f"Calling {NUMBER}").wait_for()
    assert await commands(page, "imPhoneTo") == [{"phone": NUMBER}]


async def test_neighbours_lead_from_call_to_call(installed: Desk) -> None:
    await lay_calls(installed, 25)
    _, frame = await installed.open_log()
    await open_call(frame, 12)
    neighbours = frame.locator("#call button[data-call]")
    await expect(neighbours).to_have_count(20)
    await frame.get_by_role("button", name="Show earlier calls").click()
    await expect(neighbours).to_have_count(22)
    assert await frame.evaluate("document.activeElement.dataset.call") == "c23"
    await frame.get_by_role("button", name="Show later calls").click()
    await expect(neighbours).to_have_count(24)
    await neighbours.first.click()
    await frame.locator("#call .is-current").wait_for()
    await expect(neighbours.first).to_have_attribute("data-call", "c1")
    await frame.get_by_role("button", name="Close").click()
    await until(frame, "document.activeElement.closest('tr')?.dataset.callId === 'c12'")


async def test_the_open_panel_follows_its_call(installed: Desk) -> None:
    await lay_calls(installed)
    _, frame = await installed.open_log()
    await open_call(frame)
    await frame.get_by_role("button", name="Call", exact=True).focus()
    await frame.evaluate("window.kept = document.querySelector('#call [data-part=legs]')")
    await installed.callbook.run_sql(
        "UPDATE calls SET cost_e4 = 12500, currency = 'EUR' WHERE call_id = 'c0'"
    )
    installed.callbook.parts.changes.announce(installed.portal_id)
    await frame.locator("#call").get_by_text("€1.25").wait_for()
    assert await frame.evaluate("document.activeElement.matches('[data-dial]')")
    assert await frame.evaluate("window.kept === document.querySelector('#call [data-part=legs]')")


async def test_the_panel_lies_in_the_part_of_the_frame_that_is_in_view(installed: Desk) -> None:
    """The frame is as tall as its content, and the portal scrolls."""
    await lay_calls(installed, 50)
    page, frame = await installed.open_log()
    await page.mouse.move(640, 500)
    await page.mouse.wheel(0, 1200)
    await frame.locator("tr[data-call-id]").nth(25).click()
    await frame.locator("#call [data-part=facts]").wait_for()
    await until_in_view(page, frame)
    await page.evaluate("scrollBy(0, -400)")
    await until_in_view(page, frame)
    assert await frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def until_in_view(page: Page, frame: Frame) -> None:
    """Wait until the panel's edges lie where the window, or the frame, begins and ends."""

    async def is_in_view() -> bool:
        box = await frame.locator("#call").bounding_box()
        outer = await page.locator("#app-frame").bounding_box()
        assert box is not None
        assert outer is not None
        top, bottom = max(0, outer["y"]), min(800, outer["y"] + outer["height"])
        return abs(box["y"] - top) < 2 and abs(box["y"] + box["height"] - bottom) < 2

    await wait_until(is_in_view)


async def test_an_empty_log_is_made_tall_enough(installed: Desk) -> None:
    await lay_calls(installed, 1)
    _, frame = await installed.open_log()
    await open_call(frame)
    await until(frame, "document.querySelector('#call').getBoundingClientRect().height >= 600")


async def test_on_a_phone_it_fills_the_width(installed: Desk) -> None:
    await lay_calls(installed, 2)
    page, frame = await installed.open_log()
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.evaluate(FRAME_ALONE)
    await open_call(frame)
    await until(frame, "document.querySelector('#call').getBoundingClientRect().left === 0")
    assert await frame.evaluate(
        "document.querySelector('#call').getBoundingClientRect().width === innerWidth"
    )
    assert await frame.evaluate("document.querySelector('#call .panel-body').scrollWidth <= innerWidth")


async def test_a_call_that_is_gone_says_so(installed: Desk) -> None:
    await lay_calls(installed, 2)
    _, frame = await installed.open_log()
    await installed.callbook.run_sql("DELETE FROM calls WHERE call_id = 'c1'")
    await frame.locator("tr[data-call-id]").nth(1).click()
    await frame.get_by_role("heading", name="This call cannot be shown").wait_for()
    # Chromium itself writes a line about an answer of 404.
    installed.console[:] = [line for line in installed.console if "404" not in line]
