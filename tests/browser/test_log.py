import asyncio
import re

import pytest
from playwright.async_api import Frame, Route, expect

from tests.browser.conftest import Desk
from tests.patience import PATIENCE_S, wait_until
from tests.web.logged_calls import insert_calls

ROWS = "tr[data-id]"
FRAME_ALONE = """Object.assign(document.querySelector("#app-frame").style, {
    position: "fixed", inset: "0", zIndex: 9, inlineSize: "100vw", borderRadius: 0,
})"""
HOSTILE = "<b>x</b> \u202e\u0645\u0631\u062d\u0628\u0627 \x00 😀 \"'&amp;"


def now(desk: Desk) -> int:
    return desk.callbook.parts.clock.now()


async def until(frame: Frame, expression: str) -> None:
    """Wait for a condition without Playwright's own wait, which evaluates text in the page: our content
    security policy forbids this.
    """
    await wait_until(lambda: frame.evaluate(expression))


async def choose(frame: Frame, menu: str, *choices: str) -> None:
    """Set several choices of a filter's menu."""
    await frame.locator("summary", has_text=menu).click()
    for choice in choices:
        await frame.locator("details[open] label", has_text=choice).first.click()
    await frame.locator("details[open] input").first.press("Escape")


async def read_numbers(frame: Frame) -> list[str]:
    return await frame.locator(".cell-number").all_inner_texts()


async def test_the_wizard_leads_to_the_log(desk: Desk) -> None:
    desk.portal.add_app()
    page, _ = await desk.open()
    heading = page.frame_locator("#app-frame").get_by_role("heading", name="Call log")
    await heading.wait_for()
    await page.frame_locator("#app-frame").get_by_text("No calls yet").wait_for()
    assert desk.portal.installation.is_finished
    commands = await page.evaluate("receivedCommands.map((one) => one.command)")
    assert set(commands) <= {"resizeWindow", "refreshAuth", "openPath"}
    paths = await page.evaluate("receivedCommands.filter((one) => one.command === 'openPath')")
    assert {one["params"]["path"] for one in paths} <= {""}  # A request that opens nothing.


async def test_a_failed_step_says_what_to_do_and_can_be_repeated(desk: Desk) -> None:
    desk.portal.add_app()
    rule = desk.portal.stand_in.fail("placement.bind", code="ACCESS_DENIED", status=403)
    page, _ = await desk.open()
    app = page.frame_locator("#app-frame")
    await app.get_by_role("button", name="Try again").wait_for()
    await expect(app.locator('[data-step="placement"]')).to_have_attribute("data-state", "failed")
    assert await app.locator('[data-step="placement"] .remedy').inner_text()
    desk.portal.stand_in.heal()
    assert rule is not None
    await app.get_by_role("button", name="Try again").click()
    await app.get_by_role("heading", name="Call log").wait_for()


async def test_a_call_that_ends_slides_in(installed: Desk) -> None:
    _, frame = await installed.open_log()
    await frame.get_by_text("No calls yet").wait_for()
    for count in (1, 2, 3):
        ended = await installed.portal.end_call()
        assert {answer.status_code for answer in ended.responses} == {200}
        await expect(frame.locator(ROWS)).to_have_count(count)
    assert await frame.locator("#status").get_attribute("data-state") == "live"


async def test_a_changed_call_is_replaced_in_its_place(installed: Desk) -> None:
    at = now(installed)
    calls = [{"started_at": at - number, "phone_number": f"10{number}"} for number in range(3)]
    await insert_calls(installed.portal_id, *calls)
    _, frame = await installed.open_log()
    await frame.evaluate("window.kept = document.querySelectorAll('tr[data-id]')[1]")
    await installed.callbook.run_sql("UPDATE calls SET code = '486' WHERE phone_number = '101'")
    installed.callbook.parts.changes.announce(installed.portal_id)
    await frame.get_by_text("Busy", exact=True).locator("visible=true").first.wait_for()
    assert await frame.evaluate("window.kept === document.querySelectorAll('tr[data-id]')[1]")
    assert await read_numbers(frame) == ["100", "101", "102"]


async def test_a_list_that_shares_no_row_is_replaced(installed: Desk) -> None:
    at = now(installed)
    await insert_calls(installed.portal_id, *({"started_at": at - 500 - number} for number in range(3)))
    _, frame = await installed.open_log()
    new = [
        {"call_id": f"n{number}", "started_at": at - number, "phone_number": "777"} for number in range(60)
    ]
    await insert_calls(installed.portal_id, *new)
    installed.callbook.parts.changes.announce(installed.portal_id)
    await frame.get_by_text("777").first.wait_for()
    assert set(await read_numbers(frame)) == {"777"}


async def test_what_is_read_stays_where_it_is(installed: Desk) -> None:
    """New rows wait while the top of the list is out of view."""
    at = now(installed)
    await insert_calls(installed.portal_id, *({"started_at": at - 9 - number} for number in range(40)))
    page, frame = await installed.open_log()
    await page.mouse.wheel(0, 1500)
    row = frame.locator(ROWS).nth(30)
    await row.scroll_into_view_if_needed()
    before = await row.bounding_box()
    await installed.portal.end_call()
    installed.callbook.parts.changes.announce(installed.portal_id)
    await frame.locator("#status[data-behind]").wait_for(state="attached")
    assert await row.bounding_box() == before
    await frame.locator("#head").scroll_into_view_if_needed()
    await expect(frame.locator(ROWS)).to_have_count(41)


async def test_a_change_that_comes_while_the_list_is_read_is_shown(installed: Desk) -> None:
    """The answer that is on its way does not have it, and no further event follows."""
    at = now(installed)
    await insert_calls(installed.portal_id, {"call_id": "first", "started_at": at - 9})
    _, frame = await installed.open_log()
    answered, release = asyncio.Event(), asyncio.Event()

    async def hold_back(route: Route) -> None:
        answer = await route.fetch()
        answered.set()
        async with asyncio.timeout(PATIENCE_S):
            await release.wait()
        await route.fulfill(response=answer)

    await installed.context.route(re.compile("/log/rows"), hold_back, times=1)
    await insert_calls(installed.portal_id, {"call_id": "second", "started_at": at - 8})
    installed.callbook.parts.changes.announce(installed.portal_id)
    async with asyncio.timeout(PATIENCE_S):
        await answered.wait()
    await insert_calls(installed.portal_id, {"call_id": "third", "started_at": at - 7})
    installed.callbook.parts.changes.announce(installed.portal_id)
    await frame.locator("#status[data-behind]").wait_for(state="attached")
    release.set()
    await expect(frame.locator(ROWS)).to_have_count(3)


async def test_filters_narrow_and_clear(installed: Desk) -> None:
    at = now(installed)
    await insert_calls(
        installed.portal_id,
        {"started_at": at, "type": 2, "code": "304", "phone_number": "+493023125312", "user_id": 12},
        {"started_at": at - 1, "type": 1, "code": "200", "phone_number": "104"},
        {"started_at": at - 40 * 86_400, "type": 5, "code": "486", "phone_number": "hidden"},
    )
    _, frame = await installed.open_log()
    rows = frame.locator(ROWS)
    await expect(rows).to_have_count(3)
    await frame.get_by_label("Direction", exact=True).select_option("in")
    await expect(rows).to_have_count(1)
    await frame.get_by_label("Direction", exact=True).select_option("")
    await choose(frame, "Outcome", "Busy")
    await expect(frame.get_by_text("hidden")).to_be_visible()
    await expect(rows).to_have_count(1)
    await frame.get_by_role("button", name="Clear all").click()
    await expect(rows).to_have_count(3)
    await frame.get_by_label("Period").select_option("month")
    await expect(rows).to_have_count(2)
    await choose(frame, "Employee", "Jonas Falk")
    await expect(rows).to_have_count(1)
    await frame.get_by_role("button", name="Clear all").click()
    await frame.get_by_label("Search by number").fill("030 23 12")
    await expect(rows).to_have_count(1)
    await frame.get_by_label("Search by number").fill("999")
    await expect(frame.get_by_role("heading", name="No calls match")).to_be_visible()
    await frame.get_by_role("button", name="Clear filters").click()
    await expect(rows).to_have_count(3)
    await frame.get_by_label("Period").select_option("free")
    await frame.get_by_label("To day").fill("2001-01-01")
    await expect(frame.get_by_role("heading", name="No calls match")).to_be_visible()


async def test_older_calls_load_as_one_scrolls(installed: Desk) -> None:
    at = now(installed)
    await insert_calls(installed.portal_id, *({"started_at": at - number} for number in range(120)))
    page, frame = await installed.open_log()
    await expect(frame.locator(ROWS)).to_have_count(50)
    for count in (100, 120):
        await frame.locator("#more").scroll_into_view_if_needed()
        await expect(frame.locator(ROWS)).to_have_count(count)
    await frame.get_by_text("No more calls").wait_for()
    ids = await frame.evaluate("[...document.querySelectorAll('tr[data-id]')].map((row) => row.dataset.id)")
    assert len(set(ids)) == 120
    assert await page.evaluate("document.querySelector('#app-frame').scrollHeight") > 120 * 50


async def test_plain_users_see_their_own_calls_live_too(installed: Desk) -> None:
    at = now(installed)
    await insert_calls(installed.portal_id, {"started_at": at, "user_id": 1, "phone_number": "1111"})
    operator = installed.portal.operator
    _, frame = await installed.open_log(operator.id)
    await frame.get_by_text("No calls yet").wait_for()
    assert await frame.locator("summary", has_text="Employee").count() == 0
    own = {"call_id": "own", "started_at": at + 1, "user_id": operator.id, "phone_number": "2222"}
    await insert_calls(installed.portal_id, own)
    installed.callbook.parts.changes.announce(installed.portal_id)
    await frame.get_by_text("2222").wait_for()
    assert await read_numbers(frame) == ["2222"]


async def test_texts_are_shown_as_they_came(installed: Desk) -> None:
    hostile = {"phone_number": HOSTILE, "portal_number": HOSTILE, "code": "OTHER", "reason": HOSTILE}
    await insert_calls(installed.portal_id, {"started_at": now(installed), **hostile})
    _, frame = await installed.open_log()
    expected = HOSTILE.replace("\x00", "\u2400")
    texts = await frame.evaluate(
        "['.cell-number bdi', '.cell-line bdi'].map((one) => document.querySelector(one).textContent)"
    )
    assert texts == [expected, expected]
    assert await frame.locator(".cell-number bdi").get_attribute("dir") == "ltr"
    assert await frame.locator(".outcome").get_attribute("title") == f"OTHER · {expected}"


async def test_the_frame_has_no_scroll_bar_and_shrinks_again(installed: Desk) -> None:
    at = now(installed)
    await insert_calls(installed.portal_id, *({"started_at": at - number} for number in range(45)))
    page, frame = await installed.open_log()
    overflow = "document.documentElement.scrollHeight - innerHeight"
    for width in (1280, 1920, 2560):
        await page.set_viewport_size({"width": width, "height": 800})
        await until(frame, f"{overflow} <= 0")
        assert await frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tall = await frame.evaluate("innerHeight")
    await choose(frame, "Outcome", "Busy")
    await until(frame, f"innerHeight < {tall} / 2")
    await page.set_viewport_size({"width": 360, "height": 800})
    await page.evaluate(FRAME_ALONE)
    assert await frame.evaluate("innerWidth") == 360
    assert await frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_session_that_ended_is_renewed_unseen(installed: Desk) -> None:
    """The tab has slept: its token is dead, and the page does not know."""
    _, frame = await installed.open_log()
    token = await frame.evaluate("document.querySelector('meta[name=session]').content")
    answers: list[int] = []
    installed.context.on("response", lambda answer: answers.append(answer.status))
    await installed.callbook.run_sql("UPDATE portals SET generation = generation + 1")
    await frame.get_by_label("Direction", exact=True).select_option("in")
    await frame.get_by_text("No calls match").wait_for()
    assert 401 in answers
    assert await frame.evaluate("document.querySelector('meta[name=session]').content") != token
    # The browser itself notes each 401 on the console; nothing else may be there.
    assert all("401" in line for line in installed.console)
    installed.console.clear()


async def test_what_takes_a_while_is_seen_to_load(installed: Desk) -> None:
    await insert_calls(installed.portal_id, {"started_at": now(installed), "type": 2})
    _, frame = await installed.open_log()
    log, answering = frame.locator("#log"), asyncio.Event()

    async def hold_back(route: Route) -> None:
        async with asyncio.timeout(PATIENCE_S):  # A test that fails before it answers still closes its page.
            await answering.wait()
        await route.continue_()

    await installed.context.route(re.compile("/log/rows"), hold_back)
    await expect(log).not_to_have_attribute("aria-busy", "true")
    await frame.get_by_label("Direction", exact=True).select_option("in")
    await expect(log).to_have_attribute("aria-busy", "true")
    await until(frame, "getComputedStyle(document.querySelector('#log'), '::before').opacity === '1'")
    await until(frame, "getComputedStyle(document.querySelector('#log .log')).opacity < 0.6")
    await expect(frame.locator(ROWS)).to_have_count(1)  # The rows that were there stay.
    answering.set()
    await expect(log).not_to_have_attribute("aria-busy", "true")
    await until(frame, "getComputedStyle(document.querySelector('#log'), '::before').opacity === '0'")
    await expect(frame.locator(ROWS)).to_have_count(1)


async def test_a_server_that_fails_is_said_and_asked_again(installed: Desk) -> None:
    await insert_calls(installed.portal_id, {"started_at": now(installed)})
    _, frame = await installed.open_log()
    await installed.context.route(re.compile("/log/rows"), lambda route: route.fulfill(status=503))
    await frame.get_by_label("Direction", exact=True).select_option("in")
    await frame.get_by_role("heading", name="The calls cannot be shown right now").wait_for()
    await installed.context.unroute_all()
    await installed.context.route(re.compile("/log/rows"), lambda route: route.abort())
    await frame.get_by_role("button", name="Try again").click()
    await frame.get_by_role("heading", name="No connection").wait_for()
    await installed.context.unroute_all()
    await frame.get_by_role("button", name="Try again").click()
    await expect(frame.locator(ROWS)).to_have_count(1)
    assert all("503" in line or "net::ERR" in line for line in installed.console), installed.console
    installed.console.clear()


async def test_eight_tabs_leave_the_app_answering(installed: Desk) -> None:
    opened = [await installed.open_log() for _ in range(8)]
    await wait_until(lambda: installed.callbook.parts.streams.count <= 2)
    for _, frame in opened:
        await frame.get_by_label("Direction", exact=True).select_option("in")
        await frame.get_by_text("No calls match").wait_for()
    states = [await frame.locator("#status").get_attribute("data-state") for _, frame in opened]
    assert states.count("polling") >= 6


async def test_an_uninstall_ends_the_session(installed: Desk) -> None:
    _, frame = await installed.open_log()
    await installed.portal.uninstall()
    await installed.callbook.settle()
    installed.callbook.parts.changes.announce(installed.portal_id)
    await frame.locator('#status[data-state="over"]').wait_for()
    await frame.get_by_label("Direction", exact=True).select_option("in")
    await frame.get_by_role("heading", name="Your session has ended").wait_for()
    assert all("401" in line or "403" in line for line in installed.console), installed.console
    installed.console.clear()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
async def test_without_a_zone_in_the_profile_the_browser_s_counts(installed: Desk, zone: str) -> None:
    installed.portal.admin.time_zone = ""
    await insert_calls(installed.portal_id, {"started_at": now(installed)})
    page = await (await installed.context.browser.new_context(timezone_id=zone)).new_page()  # type: ignore[union-attr]
    await page.goto(f"{installed.portal.origin}/?user=1")
    frame = await installed.app_frame(page)
    await expect(frame.locator("#zone")).to_have_text(zone)
    await expect(frame.locator(ROWS)).to_have_count(1)
    await page.context.close()
