"""The export of the filtered calls, saved by a real browser inside the portal's frame."""

import asyncio
import csv
import io
from pathlib import Path

from playwright.async_api import Download, Frame, Page, Route, expect

from tests.browser.conftest import Desk
from tests.web.exports.workbooks import read_sheet
from tests.web.logged_calls import insert_calls

NUMBERS = [f"+1202555{number:04}" for number in range(100, 130)]


async def fill(desk: Desk) -> None:
    at = desk.callbook.parts.clock.now()
    calls = [
        {"started_at": at - number, "phone_number": text, "code": ("200", "304")[number % 2]}
        for number, text in enumerate(NUMBERS)
    ]
    await insert_calls(desk.portal_id, *calls)


async def choose(frame: Frame, name: str) -> None:
    await frame.get_by_role("button", name="Export").click()
    await frame.get_by_role("menuitem", name=name).click()


async def save(page: Page, frame: Frame, name: str) -> tuple[Download, bytes]:
    async with page.expect_download() as saved:
        await choose(frame, name)
    download = await saved.value
    return download, await asyncio.to_thread(Path(await download.path()).read_bytes)


async def test_exactly_what_is_filtered_is_saved(installed: Desk) -> None:
    await fill(installed)
    page, frame = await installed.open_log()
    await frame.locator("#q").fill("202 555-01")
    await frame.locator("#q").fill("202 555-012")
    await expect(frame.locator("tr[data-id]")).to_have_count(10)
    shown = await frame.locator(".cell-number").all_inner_texts()

    download, content = await save(page, frame, "CSV file")
    assert download.suggested_filename.startswith("callbook-20")
    assert download.suggested_filename.endswith(".csv")
    lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert [line["Number"] for line in lines] == [text.strip() for text in shown]
    await expect(frame.locator("#export-said")).to_have_text(f"Saved as {download.suggested_filename}")

    download, content = await save(page, frame, "Excel workbook")
    assert download.suggested_filename.endswith(".xlsx")
    assert [line["D"].text for line in read_sheet(content)[1:]] == NUMBERS[20:]


async def read_heads(page: Page, frame: Frame) -> list[str]:
    _, content = await save(page, frame, "CSV file")
    return next(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_the_columns_are_those_that_are_shown_or_all_of_them(installed: Desk) -> None:
    await fill(installed)
    page, frame = await installed.open_log()
    await frame.locator("#settings summary").click()
    await frame.locator("[data-column=comment] input").check()
    await frame.locator("[data-column=operator] input").uncheck()
    await expect(frame.locator(".head-operator")).to_have_count(0)
    shown = await read_heads(page, frame)
    assert (shown[0][:4], *shown[1:]) == (
        *("Time", "Direction", "Outcome", "Number", "Line", "Duration", "Cost", "Currency", "Comment"),
    )
    await frame.get_by_role("button", name="Export").click()
    await frame.get_by_role("menuitemradio", name="All columns").click()
    await expect(frame.get_by_role("menuitemradio", name="Columns as shown")).not_to_be_checked()
    await page.keyboard.press("Escape")
    assert {*shown, "Employee", "Vote", "Legs", "Call ID"} <= {*await read_heads(page, frame)}


async def test_the_menu_works_by_keyboard(installed: Desk) -> None:
    page, frame = await installed.open_log()
    await frame.get_by_role("button", name="Export").focus()
    await page.keyboard.press("Enter")
    await expect(frame.get_by_role("menuitem", name="Excel workbook")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(frame.get_by_role("menuitem", name="CSV file")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(frame.get_by_role("menuitemradio", name="Columns as shown")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Space")
    await expect(frame.get_by_role("menuitemradio", name="All columns")).to_be_checked()
    await page.keyboard.press("Escape")
    await expect(frame.get_by_role("menu")).to_be_hidden()
    await expect(frame.get_by_role("button", name="Export")).to_be_focused()


async def test_an_export_that_is_cut_off_saves_nothing_and_says_so(installed: Desk) -> None:
    page, frame = await installed.open_log()
    saved: list[Download] = []
    page.on("download", lambda download: saved.append(download))  # noqa: PLW0108  It wants a function.

    async def cut_off(route: Route) -> None:
        body = '{"rows":1,"of":2,"bytes":3,"end":false}\nabc'
        headers = {"Content-Disposition": 'attachment; filename="callbook-2026-11-27.csv"'}
        await route.fulfill(status=200, headers=headers, body=body)

    await page.route("**/log/export/**", cut_off)
    await choose(frame, "CSV file")
    await expect(frame.locator("#export-said")).to_have_text(
        "The export was cut off, so nothing was saved. Try again."
    )
    await frame.get_by_role("button", name="Close").click()
    await expect(frame.locator("#export-panel")).to_be_hidden()
    assert saved == []


async def test_an_export_can_be_cancelled_and_a_second_one_is_refused_in_words(installed: Desk) -> None:
    await fill(installed)
    page, frame = await installed.open_log()
    held = asyncio.Event()

    async def hold(_: Route) -> None:
        held.set()

    await page.route("**/log/export/**", hold)
    await choose(frame, "Excel workbook")
    await held.wait()
    await expect(frame.locator("#export-said")).to_have_text("Preparing the file…")
    await expect(frame.get_by_role("button", name="Export")).to_be_disabled()
    await frame.get_by_role("button", name="Cancel").click()
    await expect(frame.locator("#export-panel")).to_be_hidden()
    await page.unroute("**/log/export/**")
    installed.console.clear()  # The browser's line about the aborted request.

    async def refuse(route: Route) -> None:
        problem = '{"detail": "Your last export is still running."}'
        await route.fulfill(status=429, content_type="application/problem+json", body=problem)

    await page.route("**/log/export/**", refuse)
    await choose(frame, "CSV file")
    await expect(frame.locator("#export-said")).to_have_text("Your last export is still running.")
    installed.console.clear()  # Chromium's line about the 429.
