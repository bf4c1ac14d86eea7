"""Links that open one recording: whose link opens it, for how long, and that no log holds it."""

import pytest

from tests.running import FakeClock
from tests.web.browsing import open_tab
from tests.web.call.studio import Studio
from tests.web.settings_forms import post_settings


async def test_a_link_is_in_no_log_when_the_database_is_away(
    studio: Studio, capfd: pytest.CaptureFixture[str]
) -> None:
    url = (await studio.link()).json()["url"]
    await studio.callbook.run_sql("ALTER TABLE calls RENAME TO gone")
    assert (await studio.callbook.client.get(url)).status_code == 503
    told = "".join(capfd.readouterr())
    assert "/audio/{token" in told
    assert url.rpartition("/")[2] not in told


@pytest.mark.quick
async def test_a_link_opens_one_recording_for_ten_minutes(studio: Studio, clock: FakeClock) -> None:
    answer = await studio.link()
    assert answer.json() == {"url": answer.json()["url"], "expires_in": 600}
    url = answer.json()["url"]
    clock.advance(599)
    assert (await studio.callbook.client.get(url)).status_code == 200
    clock.advance(1)
    late = await studio.callbook.client.get(url)
    assert (late.status_code, late.json()["code"]) == (403, "link_expired")


async def test_a_link_ends_with_the_installation_and_with_the_right_to_see_the_call(
    studio: Studio,
) -> None:
    operator = await open_tab(studio.callbook, studio.portal, user=12)
    url = (await studio.link(operator)).json()["url"]
    assert (await studio.callbook.client.get(url)).status_code == 200
    await studio.callbook.run_sql("UPDATE calls SET user_id = 18")
    assert (await studio.callbook.client.get(url)).json()["code"] == "recording_not_found"
    assert (await studio.link(operator)).status_code == 404
    url = (await studio.link()).json()["url"]
    assert (await studio.callbook.client.get(url)).status_code == 200
    await studio.portal.uninstall(clean=False)
    assert (await studio.callbook.client.get(url)).json()["code"] == "portal_uninstalled"
    await studio.portal.install(studio.callbook.url)
    await studio.callbook.settle()
    assert (await studio.callbook.client.get(url)).status_code == 401


async def test_a_link_of_an_administrator_is_one_no_longer_than_their_session(
    studio: Studio, clock: FakeClock
) -> None:
    """Only Bitrix24 knows the administrators, and tells at each opening; then the player asks for another
    link.
    """
    assert (await post_settings(studio.tab, heads_see="own")).status_code == 200
    clock.advance(300)
    url = (await studio.link()).json()["url"]
    clock.advance(299)
    assert (await studio.callbook.client.get(url)).status_code == 200
    clock.advance(1)
    assert (await studio.callbook.client.get(url)).json()["code"] == "recording_not_found"
    studio.portal.state.users[1].is_admin = False
    again = await open_tab(studio.callbook, studio.portal)
    assert (await studio.link(again)).status_code == 404
    assert (await studio.link(await open_tab(studio.callbook, studio.portal, user=12))).status_code == 200


@pytest.mark.quick
async def test_no_other_sealed_text_is_a_link_and_no_link_is_another(studio: Studio) -> None:
    url = (await studio.link()).json()["url"]
    sealed = url.rpartition("/")[2]
    row = (await studio.callbook.run_sql("SELECT * FROM portals WHERE id = 1"))[0]
    others = [studio.tab.token, row["access_token"], row["refresh_token"], "x", sealed[:-2], f"{sealed}A"]
    for other in others:
        answer = await studio.callbook.client.get(f"/audio/{other}")
        assert (answer.status_code, answer.json()["code"]) == (403, "link_expired"), other
    headers = {"Authorization": f"Bearer {sealed}"}
    assert (await studio.callbook.client.get("/api/v1/calls", headers=headers)).status_code == 401


async def test_a_call_without_a_recording_has_no_link(studio: Studio) -> None:
    await studio.callbook.run_sql("UPDATE call_legs SET has_recording = false")
    answer = await studio.link()
    assert (answer.status_code, answer.json()["code"]) == (404, "recording_not_found")
    assert (await studio.link(leg=0)).status_code == 400
    assert (await studio.link(leg=2)).status_code == 404
