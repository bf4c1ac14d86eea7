"""The recording in the panel, heard by Chromium itself."""

from typing import Any

from playwright.async_api import Frame, expect

from app.demo.recordings import SECONDS, record_url
from tests.browser.conftest import Desk
from tests.browser.test_log import until
from tests.calls.statistics_rows import read_portal

AUDIO = "document.querySelector('#call audio')"


async def open_recorded_call(desk: Desk, *, is_on_drive: bool = False, **fields: Any) -> Frame:
    portal = desk.portal
    ended = await portal.end_call(phone_number="+12025550143", duration_s=SECONDS, **fields)
    places = {"record_file_id": 501} if is_on_drive else {"record_url": record_url(portal, "one")}
    portal.installation.scope = ["telephony", "placement", "user_brief", "crm", "disk"]
    portal.change_row(ended.rows[0].id, **places)
    await desk.callbook.parts.histories.catch_up(await read_portal(portal))
    _, frame = await desk.open_log()
    await frame.locator("tr[data-call-id]").first.click()
    await frame.get_by_role("heading", name="Recording", exact=True).wait_for()
    await until(frame, f"{AUDIO}.src !== ''")
    return frame


async def hear(frame: Frame) -> None:
    """Play it: it moves on, and a place far ahead can be heard at once."""
    await frame.evaluate(f"{AUDIO}.muted = true")
    await frame.evaluate(f"{AUDIO}.play()")
    await until(frame, f"{AUDIO}.currentTime > 0.2")
    assert await frame.evaluate(f"Math.round({AUDIO}.duration)") == SECONDS
    await frame.evaluate(f"{AUDIO}.currentTime = 25")
    await until(frame, f"{AUDIO}.currentTime > 25.1 && !{AUDIO}.seeking")


async def test_a_recording_plays_and_seeks(installed: Desk) -> None:
    frame = await open_recorded_call(installed)
    assert await frame.get_by_label("Recording of the call").count() == 1
    assert installed.portal.counts["record"] == 0  # Nothing is fetched before a user plays it.
    await hear(frame)


async def test_a_drive_file_plays_and_seeks_where_ranges_are_ignored(installed: Desk) -> None:
    installed.portal.understands_range = False
    await hear(await open_recorded_call(installed, is_on_drive=True))


async def test_a_refresh_of_the_panel_does_not_stop_it(installed: Desk) -> None:
    frame = await open_recorded_call(installed)
    await hear(frame)
    await frame.evaluate(f"window.kept = {AUDIO}")
    await installed.callbook.run_sql("UPDATE calls SET cost_e4 = 12500, currency = 'EUR'")
    installed.callbook.parts.changes.announce(installed.portal_id)
    await frame.locator("#call").get_by_text("€1.25").wait_for()
    assert await frame.evaluate(f"window.kept === {AUDIO} && !{AUDIO}.paused")


async def test_a_link_that_is_over_is_renewed_and_goes_on_where_it_was(installed: Desk) -> None:
    frame = await open_recorded_call(installed)
    await hear(frame)
    await frame.evaluate(f"{AUDIO}.pause()")
    await frame.evaluate(f"{AUDIO}.src = {AUDIO}.src.slice(0, -3)")
    await frame.evaluate(f"{AUDIO}.load()")
    await until(frame, f"{AUDIO}.currentTime > 0.2 && !{AUDIO}.paused")
    installed.console[:] = [line for line in installed.console if "403" not in line]


async def test_a_recording_that_is_not_sent_says_so(installed: Desk) -> None:
    frame = await open_recorded_call(installed)
    installed.portal.stand_in.fail("record", code="NOT_FOUND", status=404)
    await frame.evaluate(f"{AUDIO}.play().catch(() => {{}})")
    note = frame.locator("[data-player-note]")
    await expect(note).to_have_text(
        "Bitrix24 is not sending this recording right now. Try again in a minute."
    )
    installed.console[:] = [line for line in installed.console if "503" not in line]


async def test_a_recording_that_comes_later_appears_in_the_open_panel(installed: Desk) -> None:
    portal = installed.portal
    ended = await portal.end_call(phone_number="+12025550143", duration_s=SECONDS)
    _, frame = await installed.open_log()
    await frame.locator("tr[data-call-id]").first.click()
    await frame.locator("#call [data-part=legs]").wait_for()
    assert await frame.locator("#call audio").count() == 0
    portal.change_row(ended.rows[0].id, record_url=record_url(portal, "one"))
    await installed.callbook.parts.histories.catch_up(await read_portal(portal))
    await until(frame, f"{AUDIO}?.src")
    parts = "[...document.querySelectorAll('#call [data-part]')].map((part) => part.dataset.part)"
    assert (await frame.evaluate(parts))[:4] == ["head", "actions", "recording", "facts"]
    await hear(frame)


async def test_a_transcript_is_read_with_the_call(installed: Desk) -> None:
    portal = installed.portal
    portal.state.transcripts["7001"] = "Good morning, this is Northwind."
    frame = await open_recorded_call(installed, crm_activity_id=7001)
    await frame.get_by_text("Good morning, this is Northwind.").wait_for()
