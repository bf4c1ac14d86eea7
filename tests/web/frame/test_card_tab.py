"""The tab in a CRM card: its calls by activity and by the statistics, cut by both rules."""

import re

import pytest

from app.bitrix24.methods.cards import CARDS
from app.demo.acts.calls import EndingCall
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.state import ActivityBinding, ClosedCard
from app.demo.rest.crm import TYPES
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.entrance.setup import read_steps
from tests.running import Callbook, FakeClock
from tests.web.browsing import TOKEN, Tab, install
from tests.web.logged_calls import insert_calls

ADMIN, OPERATOR, HELPER = 1, 12, 21
CONTACT, DEAL = 5, 9


async def open_card(
    callbook: Callbook, portal: StandInPortal, kind: str, card_id: object, user: int = ADMIN
) -> str:
    query, form = portal.page_form(user, f"CRM_{kind}_DETAIL_TAB", {"ID": str(card_id)})
    answer = await callbook.client.post("/", params=query, data=form)
    assert answer.status_code == 200, answer.text
    return answer.text


async def end_calls(portal: StandInPortal) -> None:
    """End a call of the contact by the statistics, one of the deal only by its activity, and one without a
    card.
    """
    known = EndingCall(crm_entity_type="CONTACT", crm_entity_id=CONTACT)
    await portal.end_call(known, phone_number="+14155550101", user_id=ADMIN, crm_activity_id=71)
    await portal.end_call(known, phone_number="+14155550102", user_id=OPERATOR, crm_activity_id=72)
    await portal.end_call(phone_number="+14155550103", user_id=OPERATOR)
    portal.state.activity_bindings.append(ActivityBinding(72, TYPES["DEAL"], DEAL))


def shown(page: str) -> list[str]:
    return [number for number in ("01", "02", "03") if f"415-555-01{number}" in page]


async def prepare(callbook: Callbook, portal: StandInPortal) -> None:
    await install(callbook, portal)
    await end_calls(portal)
    await callbook.run_sql(
        "UPDATE calls SET crm_entity_type = 'CONTACT', crm_entity_id = 5 WHERE phone_digits = '14155550101'"
    )


async def test_a_card_shows_its_calls_by_activity_and_by_the_statistics(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    await prepare(callbook, portal)
    assert shown(await open_card(callbook, portal, "CONTACT", CONTACT)) == ["01", "02"]
    assert shown(await open_card(callbook, portal, "DEAL", DEAL)) == ["02"]


@pytest.mark.quick
async def test_a_card_is_cut_to_what_the_viewer_sees_in_callbook(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    await prepare(callbook, portal)
    assert shown(await open_card(callbook, portal, "CONTACT", CONTACT, OPERATOR)) == ["02"]


async def test_a_card_that_the_viewer_may_not_read_in_the_crm_shows_nothing(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    await prepare(callbook, portal)
    portal.state.closed_cards.append(ClosedCard(OPERATOR, TYPES["CONTACT"], CONTACT))
    page = await open_card(callbook, portal, "CONTACT", CONTACT, OPERATOR)
    assert shown(page) == []
    assert "You have no access to this card in the CRM." in page
    assert shown(await open_card(callbook, portal, "CONTACT", CONTACT, ADMIN)) == ["01", "02"]


async def test_what_is_no_card_shows_nothing(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    await prepare(callbook, portal)
    for card_id in ("", "0", "-5", "abc", 10**30, "5 OR 1=1"):
        assert shown(await open_card(callbook, portal, "CONTACT", card_id)) == []
    assert shown(await open_card(callbook, portal, "CONTACT", 404)) == []


async def test_many_activities_are_read_page_by_page(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    await prepare(callbook, portal)
    bound = [ActivityBinding(number, TYPES["DEAL"], 8) for number in (72, *range(1_000, 1_119))]
    portal.state.activity_bindings.extend(bound)
    before = portal.counts["crm.activity.list"]
    assert shown(await open_card(callbook, portal, "DEAL", 8)) == ["02"]
    assert portal.counts["crm.activity.list"] - before == 3


async def open_tab(callbook: Callbook, portal: StandInPortal, user: int = ADMIN) -> Tab:
    query, form = portal.page_form(user, "CRM_CONTACT_DETAIL_TAB", {"ID": str(CONTACT)})
    page = await callbook.client.post("/", params=query, data=form)
    found = TOKEN.search(page.text)
    assert found is not None
    return Tab(callbook, page, found.group(1))


def read_form(text: str) -> dict[str, str]:
    """The form that the page would send by itself."""
    return dict(re.findall(r'<input type="hidden"(?: id="\w+")? name="(\w+)"[^>]*? value="([^"]*)"', text))


async def test_a_card_with_many_calls_is_read_on_page_by_page(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    portal_id = await install(callbook, portal)
    of_card = {"crm_entity_type": "CONTACT", "crm_entity_id": CONTACT}
    await insert_calls(portal_id, *({**of_card, "call_id": f"c{number}"} for number in range(230)))
    await portal.end_call(EndingCall(crm_entity_type="CONTACT", crm_entity_id=CONTACT))
    tab = await open_tab(callbook, portal)
    text, ids = tab.page.text, list[str]()
    while True:
        ids += re.findall(r'data-call-id="(c\d+)"', text)
        after = re.search(r'hx-post="([^"]+)"[^>]*>Show more', text)
        if after is None:
            break
        text = (await tab.post(after[1], **read_form(tab.page.text))).text
    assert ids == [f"c{number}" for number in range(230)]
    assert "No more calls." in text


async def test_a_tab_that_is_open_asks_the_crm_again_in_its_users_name(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    await prepare(callbook, portal)
    tab = await open_tab(callbook, portal, OPERATOR)
    form = read_form(tab.page.text)
    assert shown(tab.page.text) == ["02"]
    await portal.end_call(phone_number="+14155550103", user_id=OPERATOR, crm_activity_id=79)
    portal.state.activity_bindings.append(ActivityBinding(79, TYPES["CONTACT"], CONTACT))
    assert shown((await tab.post("/card/rows", **form)).text) == ["02"]
    token = portal.issue_pair(portal.users[OPERATOR]).access_token
    fresh = (await tab.post("/card/rows", **form, auth_id=token)).text
    assert sorted(shown(fresh)) == ["02", "03"]
    assert "79" in read_form(fresh)["activities"].split(",")
    # Known calls stay after the token has expired; a card that was closed in the meantime is closed.
    assert shown((await tab.post("/card/rows", **form, auth_id="over" * 8)).text) == ["02"]
    portal.state.closed_cards.append(ClosedCard(OPERATOR, TYPES["CONTACT"], CONTACT))
    closed = (await tab.post("/card/rows", **form, auth_id=token)).text
    assert shown(closed) == []
    assert "You have no access to this card in the CRM." in closed


async def test_ids_that_somebody_made_up_show_no_call_of_others(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    await prepare(callbook, portal)
    tab = await open_tab(callbook, portal, OPERATOR)
    asked = {"kind": "CONTACT", "card": "404"}
    assert shown((await tab.post("/card/rows", **asked, activities="71,72")).text) == ["02"]
    for wrong in ({"kind": "USER"}, {"activities": "1;2"}, {"card": "x", "activities": ""}, {"cursor": "x"}):
        answer = await tab.post("/card/rows", **{**asked, "activities": "71", **wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter"), wrong


async def test_times_are_in_the_zone_of_the_browser_where_no_other_is_known(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"user_id": HELPER, "crm_entity_type": "CONTACT", "crm_entity_id": CONTACT})
    await portal.end_call(EndingCall(crm_entity_type="CONTACT", crm_entity_id=CONTACT))
    tab = await open_tab(callbook, portal, HELPER)
    assert 'name="zone"' in tab.page.text
    asked = read_form(tab.page.text)
    assert "11:06" in (await tab.post("/card/rows", **asked)).text
    assert "8:06" in (await tab.post("/card/rows", **asked | {"zone": "America/Sao_Paulo"})).text
    assert 'name="zone"' not in (await open_tab(callbook, portal, OPERATOR)).page.text


async def test_a_portal_that_does_not_answer_is_told_from_rights(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    await prepare(callbook, portal)
    stand_in.fail("crm.activity.list", code="INTERNAL_SERVER_ERROR", status=500)
    page = await open_card(callbook, portal, "CONTACT", CONTACT)
    assert "Open this tab again in a minute." in page
    assert shown(page) == []


@pytest.mark.parametrize(
    ("lacking", "state", "said"),
    [
        ([], "done", ""),
        (["REST_APP_URI"], "skipped", "The tabs are there. Links"),
        (["CRM_LEAD_DETAIL_TAB"], "skipped", "Not in every kind of card"),
    ],
)
async def test_the_installer_blames_for_what_is_missing_only_what_is_missing(
    callbook: Callbook, stand_in: StandIn, lacking: list[str], state: str, said: str
) -> None:
    portal = stand_in.portals[0]
    portal.state.unknown_placements += lacking
    await install(callbook, portal)
    bound = {one.placement for one in portal.installation.placements}
    assert bound == {"TELEPHONY_ANALYTICS_MENU", "REST_APP_URI", *CARDS} - {*lacking}
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    step = read_steps(found)[-1]
    assert (step.name, step.state) == ("cards", state)
    assert step.remedy.startswith(said)
    assert "crm" not in step.remedy


async def test_without_the_scope_there_is_no_tab_and_the_installer_says_so(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal = stand_in.portals[0]
    portal.installation.scope.remove("crm")
    await install(callbook, portal)
    bound = {one.placement for one in portal.installation.placements}
    assert bound == {"TELEPHONY_ANALYTICS_MENU", "REST_APP_URI"}
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    step = read_steps(found)[-1]
    assert (step.name, step.state) == ("cards", "skipped")
    assert "crm" in step.remedy
    assert "Callbook has no access to the CRM" in await open_card(callbook, portal, "CONTACT", CONTACT)

    await callbook.settle()  # Work that this page began, with a token that lives for an hour at most.
    portal.installation.scope.append("crm")
    clock.advance(3_600)
    await portal.open_page("/")
    await callbook.settle()
    assert {one.placement for one in portal.installation.placements} == {*bound, *CARDS}
    healed = await queries.find_portal(portal.member_id)
    assert healed is not None
    assert read_steps(healed)[-1].state == "done"
