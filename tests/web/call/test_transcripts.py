"""Transcripts and late facts: the reads from the portal when a user opens a call."""

from tests.calls.statistics_rows import read_portal
from tests.running import FakeClock
from tests.web.browsing import open_tab
from tests.web.call.studio import CRM, Studio


async def test_a_transcript_is_shown_to_viewers_of_the_call(studio: Studio) -> None:
    studio.portal.installation.scope = list(CRM)
    studio.portal.state.transcripts["7001"] = "Good morning <b>you</b>"
    operator = await open_tab(studio.callbook, studio.portal, user=12)
    other = await open_tab(studio.callbook, studio.portal, user=18)
    path = f"/log/calls/{studio.call_id}/transcript"
    for tab in (studio.tab, operator):
        assert "Good morning &lt;b&gt;you&lt;/b&gt;" in (await tab.get(path)).text
    assert (await other.get(path)).status_code == 404
    assert "data-transcript" in (await studio.tab.get(f"/log/calls/{studio.call_id}")).text


async def test_nobody_spends_their_portal_s_requests_on_looks(studio: Studio, clock: FakeClock) -> None:
    """Thirty looks a minute are enough for a person: the portal allows two requests a second in all."""
    path = f"/log/calls/{studio.call_id}/transcript"
    statuses = [(await studio.tab.get(path)).status_code for _ in range(40)]
    assert statuses == [*[200] * 30, *[429] * 10]
    clock.advance(31 * 86_400)
    studio.portal.counts.clear()
    tab = await open_tab(studio.callbook, studio.portal, user=12)
    statuses = [(await tab.get(path)).status_code for _ in range(30)]
    assert (await tab.get(f"/log/calls/{studio.call_id}", fresh="1")).status_code == 200
    assert studio.portal.counts["batch"] == 0
    assert statuses == [200] * 30


async def test_a_transcript_that_apps_cannot_read_is_said_to_be_one(studio: Studio) -> None:
    """The scope is missing, which is noticed and not tried again; or the text; or the activity."""
    path = f"/log/calls/{studio.call_id}/transcript"
    studio.portal.installation.scope.remove("crm")
    for _ in range(2):
        assert "No transcript. Bitrix24 CoPilot made none" in (await studio.tab.get(path)).text
    assert studio.portal.counts["crm.activity.call.getTranscript"] == 1
    studio.change(transcript_id=40)
    await studio.callbook.parts.histories.catch_up(await read_portal(studio.portal))
    assert "does not let apps read it" in (await studio.tab.get(path)).text
    await studio.callbook.run_sql("UPDATE calls SET crm_activity_id = NULL")
    panel = (await studio.tab.get(f"/log/calls/{studio.call_id}")).text
    assert "does not let apps read it" in panel
    assert "data-transcript" not in panel


async def test_an_old_call_is_read_again_when_it_is_looked_at(studio: Studio, clock: FakeClock) -> None:
    path = f"/log/calls/{studio.call_id}"
    assert "data-old" not in (await studio.tab.get(path)).text
    clock.advance(40 * 86_400)
    tab = await open_tab(studio.callbook, studio.portal)
    await studio.callbook.settle()
    studio.change(vote=4, comment="A pleasant caller")
    assert "data-old" in (await tab.get(path)).text
    assert "A pleasant caller" not in (await tab.get(path)).text
    fresh = (await tab.get(path, fresh="1")).text
    assert "A pleasant caller" in fresh
    assert 'aria-label="4 of 5"' in fresh
