"""The log as its user wants it: columns, order, filters, views, summary, keyboard, theme, width."""

from typing import Any

import pytest
from playwright.async_api import Frame, expect

from tests.browser.conftest import Desk
from tests.browser.test_log import FRAME_ALONE, ROWS, choose, now, until
from tests.web.logged_calls import insert_calls

SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { sources } of list.getEntries()) {
      for (const { node } of sources) {
        const element = node?.nodeType === 1 ? node : node?.parentElement;
        if (element && !element.closest("#rows, #more")) window.shifts.push(element.outerHTML.slice(0, 80));
      }
    }
  }).observe({ type: "layout-shift" });
}"""


async def lay_calls(desk: Desk, *calls: dict[str, Any]) -> None:
    at = now(desk)
    rows = [{"started_at": at - number, "is_confirmed": True, **call} for number, call in enumerate(calls)]
    await insert_calls(desk.portal_id, *rows)


async def read_heads(frame: Frame) -> list[str]:
    return [text.strip() for text in await frame.locator("thead th").all_inner_texts()]


async def read_cells(frame: Frame, column: str) -> list[str]:
    return await frame.locator(f"td.cell-{column}").all_inner_texts()


async def test_columns_are_picked_and_ordered_by_keyboard_and_are_there_again(installed: Desk) -> None:
    await lay_calls(installed, {"code": "603-S"})
    page, frame = await installed.open_log()
    await frame.locator("#settings summary").press("Enter")
    await frame.locator("#columns [data-column=line] input").press("Space")
    await expect(frame.locator("thead .head-line")).to_have_count(0)
    await frame.locator("#columns [data-column=code] input").press("Space")
    await expect(frame.locator("td.cell-code")).to_have_text("603-S")
    await frame.get_by_role("button", name="Move Cost up").press("Enter")
    await expect(frame.locator("thead th").nth(4)).to_have_text("Cost")
    assert await frame.evaluate("document.activeElement.closest('li').dataset.column") == "cost"
    assert await frame.get_by_role("checkbox", name="Number").is_disabled()
    await frame.locator("#columns input").first.press("Escape")
    await expect(frame.locator("#settings")).not_to_have_attribute("open", "")
    shown = await read_heads(frame)
    assert shown == ["Time", "Call", "Number", "Employee", "Cost", "Duration", "Code"]
    await until_kept(installed, "code")
    await page.reload()
    frame = await installed.app_frame(page)
    await frame.locator(ROWS).wait_for()
    assert await read_heads(frame) == shown


async def until_kept(desk: Desk, text: str) -> None:
    """Wait until a choice is stored: the page does not wait for it."""
    while True:
        rows = await desk.callbook.run_sql("SELECT columns, theme FROM user_preferences")
        if any(text in (row["columns"] or "").split() or text == row["theme"] for row in rows):
            return


async def test_heads_sort_and_say_so(installed: Desk) -> None:
    await lay_calls(
        installed, {"duration_s": 5, "cost_e4": 100}, {"duration_s": 90}, {"duration_s": 7, "cost_e4": 900}
    )
    _, frame = await installed.open_log()
    duration = frame.locator("thead .head-duration")
    await expect(frame.locator("thead .head-time")).to_have_attribute("aria-sort", "descending")
    await frame.get_by_role("button", name="Duration").press("Enter")
    await expect(duration).to_have_attribute("aria-sort", "descending")
    assert await read_cells(frame, "duration") == ["1:30", "0:07", "0:05"]
    assert await frame.evaluate("document.activeElement.id") == "sort-duration"
    await frame.get_by_role("button", name="Duration").press("Enter")
    await expect(duration).to_have_attribute("aria-sort", "ascending")
    assert await read_cells(frame, "duration") == ["0:05", "0:07", "1:30"]
    await frame.get_by_role("button", name="Cost", exact=True).click()
    await expect(frame.locator("thead .head-cost")).to_have_attribute("aria-sort", "descending")
    assert await read_cells(frame, "duration") == ["0:07", "0:05", "1:30"]


async def test_filters_stand_as_chips_that_take_them_back(installed: Desk) -> None:
    await lay_calls(
        installed,
        {"code": "486", "duration_s": 5},
        {"code": "603-S", "duration_s": 90, "crm_entity_type": "CONTACT", "crm_entity_id": 5},
        {"code": "200", "has_recording": True, "portal_number": "reg1"},
    )
    _, frame = await installed.open_log()
    rows = frame.locator(ROWS)
    await choose(frame, "Outcome", "Busy", "603-S")
    await expect(rows).to_have_count(2)
    await expect(frame.locator("#announcement")).to_have_text("2 calls match.")
    await expect(frame.locator("[data-counts~=outcome] .count")).to_have_text("2")
    await frame.get_by_role("button", name="More filters").click()
    await frame.get_by_label("Client").select_option("known")
    await expect(rows).to_have_count(1)
    chips = frame.locator(".chip")
    await expect(chips).to_have_text(["Busy", "Code 603-S, Cancelled", "Known clients"])
    await frame.get_by_role("button", name="Remove the filter: Known clients").click()
    await expect(rows).to_have_count(2)
    await frame.get_by_role("button", name="Remove the filter: Busy").press("Enter")
    await expect(rows).to_have_count(1)
    assert await frame.evaluate("document.activeElement.className") == "chip"
    await frame.get_by_role("button", name="Clear all").click()
    await expect(rows).to_have_count(3)
    await frame.get_by_label("Longest duration").fill("0:30")
    await frame.get_by_label("Longest duration").press("Enter")
    await expect(chips).to_have_text(["At most 0:30"])
    await expect(rows).to_have_count(2)
    await frame.locator("#lines").select_option("reg1")
    await frame.locator("[name=recording]").select_option("true")
    await expect(rows).to_have_count(1)
    await expect(chips).to_have_count(3)


async def test_the_summary_says_what_is_shown_and_follows_the_calls(installed: Desk) -> None:
    await lay_calls(
        installed,
        {"code": "200", "duration_s": 3_660},
        {"code": "304"},
        {"code": "304", "type": 1},
        {"code": "200", "duration_s": 60, "user_id": 12},
    )
    _, frame = await installed.open_log()
    sums = frame.locator("#summary dd")
    await expect(sums).to_have_text(["4", "2", "1", "50%", "1 hr 2 min"])
    await choose(frame, "Employee", "Jonas Falk")
    await expect(sums).to_have_text(["1", "1", "0", "100%", "1 min"])
    await frame.get_by_role("button", name="Clear all").click()
    await expect(sums.first).to_have_text("4")
    await lay_calls(installed, {"call_id": "new"})
    installed.callbook.parts.changes.announce(installed.portal_id)
    await expect(sums.first).to_have_text("5")


async def test_the_table_is_walked_by_keyboard(installed: Desk) -> None:
    await lay_calls(installed, *({"phone_number": f"10{number:02}"} for number in range(30)))
    page, frame = await installed.open_log()
    await frame.locator(ROWS).nth(29).wait_for()
    assert await frame.locator("[data-open][tabindex='0']").count() == 1
    await frame.locator("[data-open]").first.focus()
    where = "document.activeElement.innerText"
    for key, number in (
        *(("ArrowDown", "1001"), ("PageDown", "1011"), ("ArrowUp", "1010"), ("End", "1029")),
        *(("ArrowDown", "1029"), ("PageUp", "1019"), ("Home", "1000"), ("ArrowUp", "1000")),
    ):
        await page.keyboard.press(key)
        assert await frame.evaluate(where) == number, key
    assert (
        await frame.evaluate("getComputedStyle(document.activeElement.closest('tr')).outlineStyle") == "solid"
    )
    await page.keyboard.press("ArrowDown")
    assert await frame.locator("[data-open][tabindex='0']").inner_text() == "1001"
    await page.keyboard.press("Enter")
    await expect(frame.locator("#call")).to_be_visible()


async def test_a_saved_view_is_shared_opened_by_a_colleague_and_deleted(installed: Desk) -> None:
    await lay_calls(installed, {"code": "304"}, {"code": "200"}, {"code": "304", "user_id": 12})
    _, frame = await installed.open_log()
    await choose(frame, "Outcome", "Missed")
    views = frame.locator("#views summary")
    await views.click()
    await frame.locator("#view-name").fill("Lost calls")
    await frame.get_by_label("For everybody in this Bitrix24").check()
    await frame.get_by_role("button", name="Save as new").click()
    await expect(views).to_contain_text("Lost calls")
    await views.click()
    await frame.get_by_role("button", name="All calls").click()
    await expect(frame.locator(ROWS)).to_have_count(3)

    _, theirs = await installed.open_log(12)
    await theirs.locator("#views summary").click()
    await theirs.get_by_role("button", name="Lost calls").click()
    await expect(theirs.locator("#views summary")).to_contain_text("Lost calls")
    await expect(theirs.locator(".chip")).to_have_text(["Missed"])
    await expect(theirs.locator(ROWS)).to_have_count(1)
    await expect(theirs.locator("[data-delete-view]")).to_have_count(0)

    await views.click()
    await frame.get_by_role("button", name="Delete the view Lost calls").click()
    await expect(frame.locator("[data-open-view]")).to_have_count(1)


async def test_the_theme_is_the_user_s_choice(installed: Desk) -> None:
    await lay_calls(installed, {})
    page, frame = await installed.open_log()
    paper = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    assert await frame.evaluate(paper) == "rgb(255, 255, 255)"
    await frame.locator("#settings summary").click()
    await frame.get_by_label("Dark").check()
    assert await frame.evaluate(paper) == "rgb(38, 38, 38)"
    await until_kept(installed, "dark")
    await page.reload()
    frame = await installed.app_frame(page)
    assert await frame.evaluate(paper) == "rgb(38, 38, 38)"
    await frame.locator("#settings summary").click()
    await frame.get_by_label("Same as device").check()
    await page.emulate_media(color_scheme="dark")
    assert await frame.evaluate(paper) == "rgb(38, 38, 38)"
    await page.emulate_media(color_scheme="light")
    assert await frame.evaluate(paper) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [360, 1280, 2560])
async def test_nothing_but_rows_moves_when_rows_arrive(installed: Desk, width: int) -> None:
    await lay_calls(installed, *({} for _ in range(12)))
    page, frame = await installed.open_log()
    await page.set_viewport_size({"width": width, "height": 900})
    await page.evaluate(FRAME_ALONE)
    await frame.locator(".sums").wait_for()
    await frame.evaluate(SHIFTS)
    for number in range(3):
        await lay_calls(
            installed, {"call_id": f"new{number}", "phone_number": "+493023125312", "cost_e4": 10**8}
        )
        installed.callbook.parts.changes.announce(installed.portal_id)
        await expect(frame.locator(ROWS)).to_have_count(13 + number)
    # Counts take a twentieth of the time at most, so on a busy machine the next one waits for many seconds.
    await expect(frame.locator("#summary dd").first).to_have_text("15", timeout=60_000)
    assert await frame.evaluate("window.shifts") == []
    assert await frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_every_menu_stays_within_the_frame(installed: Desk) -> None:
    """This holds over an empty log too: else the frame would get a scroll bar."""
    page, frame = await installed.open_log()
    for width in (360, 800, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.evaluate(FRAME_ALONE)
        for menu in await frame.locator("details.menu > summary").all():
            await menu.click()
            await until(frame, "document.documentElement.scrollWidth <= innerWidth")
            await until(frame, "document.documentElement.scrollHeight <= document.body.scrollHeight")
            await menu.press("Escape")
