"""Calls that only events told of are labelled in the tab, with both causes, the owner and the remedy."""

from playwright.async_api import Frame, expect

from app.portals import queries
from tests.browser.conftest import Desk


async def forge_time_and_read(desk: Desk) -> None:
    """Move the events and the last read four hours into the past, then read."""
    await desk.callbook.run_sql("UPDATE calls SET received_at = received_at - 14400")
    await desk.callbook.run_sql("UPDATE statistics_marks SET looked_at = looked_at - 14400")
    found = await queries.find_portal(desk.portal.member_id)
    assert found is not None
    assert await desk.callbook.parts.reconciliation.read(found)


async def expect_labels(frame: Frame, count: int) -> None:
    await expect(frame.locator("tr[data-id] .doubted")).to_have_count(count)


async def test_a_limited_log_names_the_owner_and_the_remedy_until_it_is_none_any_more(
    installed: Desk,
) -> None:
    portal = installed.portal
    portal.admin.statistics_right = "own"
    first, second = [user for user in portal.users.values() if not user.is_admin and not user.is_system][:2]
    await portal.end_call(user_id=first.id)
    await forge_time_and_read(installed)
    _, frame = await installed.open_log()
    bar = frame.locator("#doubt")
    await expect(bar).to_contain_text("Some calls are not confirmed")
    await expect(bar).to_contain_text("made them up")
    await expect(bar).to_contain_text(f"{portal.admin.full_name}, whose access Callbook uses, may not see")
    await expect_labels(frame, 1)

    await portal.end_call(user_id=second.id)
    await forge_time_and_read(installed)
    await expect(bar).to_contain_text("Calls of several employees are not confirmed")
    await expect(bar).to_contain_text(f"Grant {portal.admin.full_name} the right")
    await expect_labels(frame, 2)
    await frame.locator("#open-settings").click()
    limited = frame.locator("#settings-limited")
    await expect(limited).to_contain_text("Calls of several employees are not confirmed")
    await expect(limited).to_contain_text(f"Grant {portal.admin.full_name} the right")
    await frame.get_by_role("button", name="Cancel").click()

    portal.admin.statistics_right = "all"
    await forge_time_and_read(installed)
    await expect(bar.locator("p")).to_have_count(0)
    await expect_labels(frame, 0)
