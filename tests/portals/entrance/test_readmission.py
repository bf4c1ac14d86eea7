"""The page of an administrator in a portal that is installed at Bitrix24, but not here."""

import asyncio
from urllib.parse import urlencode

import httpx
import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.php import build_query
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.absence.tombstones import BARRED_AFTER_UNINSTALL_S
from app.portals.model import Portal
from app.scheduler import purge, verify_pending
from tests.portals.absence.gone_portals import install_all
from tests.portals.portal_rows import count, read_portal
from tests.running import Callbook, FakeClock


@pytest.fixture
async def lost(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    """A portal that Callbook does not know: it was installed after the backup that was restored."""
    await install_all(callbook, stand_in.portals)
    portal = stand_in.portals[0]
    await callbook.run_sql(f"DELETE FROM portals WHERE member_id = '{portal.member_id}'")
    return portal


async def post_page(portal: StandInPortal, **changes: str) -> httpx.Response:
    query, form = portal.page_form()
    fields = {name: value for name, value in (form | changes).items() if value}
    return await portal.post_form(f"{portal.stand_in.app_url}/?{urlencode(query)}", build_query(fields))


async def find(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


async def test_it_costs_one_question_and_installs(
    callbook: Callbook, stand_in: StandIn, lost: StandInPortal
) -> None:
    asked = stand_in.counts["app.info"]
    assert (await lost.open_page("/")).status_code == 200
    assert stand_in.counts["app.info"] == asked + 1
    await callbook.settle()
    row = await read_portal(callbook, lost.member_id)
    assert (row["state"], row["token_state"]) == ("installed", "ok")
    assert (await lost.end_call()).responses[0].status_code == 200


@pytest.mark.parametrize("endpoint", ["https://elsewhere.example/rest/", ""])
async def test_the_first_listed_server_is_asked_where_the_page_names_no_listed_one(
    callbook: Callbook, stand_in: StandIn, lost: StandInPortal, endpoint: str
) -> None:
    asked = stand_in.counts["app.info"]
    assert (await post_page(lost, SERVER_ENDPOINT=endpoint)).status_code == 200
    assert stand_in.counts["app.info"] == asked + 1


async def test_a_plain_user_installs_nothing(callbook: Callbook, lost: StandInPortal) -> None:
    assert (await lost.open_page("/", user=lost.operator)).status_code == 403
    assert await count(callbook, "portals") == 1


async def test_a_page_without_a_refresh_token_asks_and_installs_nothing(
    callbook: Callbook, stand_in: StandIn, lost: StandInPortal
) -> None:
    asked = stand_in.counts.total()
    assert (await post_page(lost, REFRESH_ID="")).status_code == 403
    body = {"member_id": lost.member_id, "auth_id": lost.issue_pair().access_token}
    assert (await callbook.client.post("/session", json=body)).status_code == 403
    assert stand_in.counts.total() == asked
    assert await count(callbook, "portals") == 1


async def test_the_server_decides_whether_it_is_installed(
    callbook: Callbook, stand_in: StandIn, lost: StandInPortal
) -> None:
    lost.installation.is_finished = False
    asked = stand_in.counts["app.info"]
    query, form = lost.page_form()
    for _ in range(3):
        answer = await lost.post_form(f"{callbook.url}/?{urlencode(query)}", build_query(form))
        assert answer.status_code == 403
        assert "Market" in answer.text
    await lost.uninstall(send=False)
    assert (await lost.open_page("/")).status_code == 403
    assert stand_in.counts["app.info"] == asked + 2  # One question for each token.
    assert await count(callbook, "portals") == 1


async def test_a_token_of_another_portal_installs_nothing(
    callbook: Callbook, stand_in: StandIn, lost: StandInPortal
) -> None:
    _, form = stand_in.portals[1].page_form()
    answer = await post_page(lost, AUTH_ID=form["AUTH_ID"], REFRESH_ID=form["REFRESH_ID"])
    assert answer.status_code == 403
    assert await count(callbook, "portals") == 1


async def test_a_server_that_is_away_is_no_refusal(stand_in: StandIn, lost: StandInPortal) -> None:
    stand_in.fail("app.info", network="drop")
    assert (await lost.open_page("/")).status_code == 503


# Forgotten


@pytest.fixture
async def forgotten(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    await install_all(callbook, stand_in.portals)
    await callbook.parts.erasure.forget(await find(stand_in.portals[0]))
    return stand_in.portals[0]


async def test_only_the_installer_page_brings_back_what_was_forgotten(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, forgotten: StandInPortal
) -> None:
    clock.advance(400 * 86_400)
    await purge(callbook.parts)
    asked = stand_in.counts.total()
    assert (await forgotten.open_page("/")).status_code == 403
    assert stand_in.counts.total() == asked
    assert (await forgotten.update_event()).status_code == 403
    assert await count(callbook, "portals") == 1
    (note,) = await callbook.run_sql("SELECT * FROM forgotten_portals")
    assert forgotten.member_id not in str(note)
    assert (await forgotten.install(callbook.url)).status_code == 200
    await callbook.settle()
    assert await count(callbook, "forgotten_portals") == 0
    assert (await forgotten.open_page("/")).status_code == 200


async def test_an_event_that_installs_what_was_forgotten_waits_for_the_installer_page(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, forgotten: StandInPortal
) -> None:
    """The event may have been on its way. A real installation opens that page too, and needs the event's
    token.
    """
    asked = stand_in.counts.total()
    answer = await forgotten.install_event()
    assert (answer.status_code, answer.json()) == (202, {"status": "pending"})
    for after_s in (0, 60, 300):
        clock.advance(after_s)
        await verify_pending(callbook.parts)
        await callbook.settle()
    assert stand_in.counts.total() == asked
    assert [await count(callbook, table) for table in ("portals", "pending_installations")] == [1, 1]
    assert (await forgotten.install(callbook.url)).status_code == 200
    await callbook.settle()
    await verify_pending(callbook.parts)
    await callbook.settle()
    assert [await count(callbook, table) for table in ("portals", "pending_installations")] == [2, 0]
    assert (await forgotten.end_call()).responses[0].json() == {"status": "ok"}


async def test_what_is_forgotten_while_its_event_is_asked_about_stays_so(
    callbook: Callbook, stand_in: StandIn, forgotten: StandInPortal
) -> None:
    await callbook.run_sql("DELETE FROM forgotten_portals")
    gate = stand_in.hold("profile", portal=forgotten, times=1)
    event = asyncio.create_task(forgotten.install_event())
    await gate.reached()
    await callbook.parts.erasure._tombstones.forget(forgotten.member_id)  # noqa: SLF001  The first step of `forget`.
    gate.release()
    assert (await event).status_code == 403
    assert await count(callbook, "portals") == 1


async def test_what_is_forgotten_while_its_page_is_asked_about_stays_so(
    callbook: Callbook, stand_in: StandIn, forgotten: StandInPortal
) -> None:
    await callbook.run_sql("DELETE FROM forgotten_portals")
    gate = stand_in.hold("profile", portal=forgotten, times=1)
    page = asyncio.create_task(forgotten.open_page("/"))
    await gate.reached()
    await callbook.parts.erasure._tombstones.forget(forgotten.member_id)  # noqa: SLF001  The first step of `forget`.
    gate.release()
    assert (await page).status_code == 403
    assert await count(callbook, "portals") == 1


# Uninstalled


@pytest.mark.parametrize("is_clean", [True, False])
async def test_for_a_day_after_an_uninstall_only_the_installer_page_installs(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, *, is_clean: bool
) -> None:
    await install_all(callbook, stand_in.portals)
    portal = stand_in.portals[0]
    await portal.end_call()
    await portal.uninstall(clean=is_clean)
    await callbook.settle()
    portal.add_app()
    portal.installation.is_finished = True
    asked = stand_in.counts.total()
    clock.advance(BARRED_AFTER_UNINSTALL_S - 1)
    assert (await portal.open_page("/")).status_code == 403
    assert (await portal.update_event()).status_code == 403
    assert stand_in.counts.total() == asked
    clock.advance(1)
    await purge(callbook.parts)
    assert await count(callbook, "forgotten_portals") == 0
    assert (await portal.open_page("/")).status_code == 200
    await callbook.settle()
    assert (await read_portal(callbook, portal.member_id))["state"] == "installed"
    if not is_clean:
        assert await count(callbook, "calls") == 1


async def test_the_installer_page_installs_at_once(callbook: Callbook, stand_in: StandIn) -> None:
    await install_all(callbook, stand_in.portals)
    portal = stand_in.portals[0]
    await portal.uninstall(clean=False)
    assert (await portal.install(callbook.url)).status_code == 200
    assert await count(callbook, "forgotten_portals") == 0
