"""The fragment of one call: its contents, and the viewers that get it."""

import html
import re

import pytest

from app.demo.stand_in import StandIn
from app.web.call.panel_view import find_crm_path, find_dial
from tests.calls.statistics_rows import read_portal
from tests.running import Callbook, FakeClock
from tests.web.browsing import install, open_tab
from tests.web.logged_calls import NOW, insert_calls

NUMBER = "+12025550143"
NEIGHBOUR = re.compile(r'data-call="([^"]+)"')


def words_of(fragment: str) -> str:
    """The text that a person reads, in one line."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", fragment).split()))


def part_of(fragment: str, name: str) -> str:
    return fragment.partition(f'data-part="{name}"')[2].partition("data-part=")[0]


async def test_robots_and_system_users_are_named_as_such_in_row_panel_and_legs(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    robot = {"call_id": "robot", "type": 5, "user_id": None}
    bot = {"call_id": "bot", "user_id": 9_000, "phone_number": "1"}
    nobody = {"call_id": "nobody", "user_id": None, "phone_number": "2"}
    await insert_calls(portal_id, robot, bot, nobody)
    clock.advance(601)  # From now on an unknown user causes a read of the users.
    tab = await open_tab(callbook, stand_in.portals[0])
    await tab.get("/log/rows")
    await callbook.settle()  # The portal was asked, and does not list user 9000.
    rows = words_of((await tab.get("/log/rows")).text)
    assert rows.count("Robot") == 1
    assert rows.count("System user 9000") == 1
    for call_id, who in (("robot", "Robot"), ("bot", "System user 9000"), ("nobody", "Nobody")):
        text = (await tab.get(f"/log/calls/{call_id}")).text
        assert who in words_of(part_of(text, "facts")), call_id
        assert who in words_of(part_of(text, "legs")), call_id


@pytest.mark.quick
async def test_a_call_is_told_in_full(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    ended = await portal.end_call(
        phone_number=NUMBER,
        cost="0.1250",
        crm_entity_type="CONTACT",
        crm_entity_id=214,
        redirected_from=(14,),
    )
    tab = await open_tab(callbook, portal)
    await callbook.settle()
    await callbook.parts.histories.catch_up(await read_portal(portal))
    answer = await tab.get(f"/log/calls/{ended.call_id}")
    assert answer.status_code == 200
    text = words_of(answer.text)
    for fact in (
        "+1 202-555-0143 Answered · Incoming",
        "200 · Success call",
        "Employee JF Jonas Falk",
        "Line reg133788",
        "Duration 1:02",
        "Cost €0.125",
        "Client in the CRM Contact 214",
        "2 parts of this call",
        "Amélie Rousselle Missed 304 0:00",
        "There are no other calls with this number",
    ):
        assert fact in text
    assert 'data-open-path="/crm/contact/details/214/"' in answer.text
    assert f'data-dial="{NUMBER}"' in answer.text
    assert part_of(answer.text, "legs").count("<li") == 2
    assert answer.headers["cache-control"] == "no-store"


async def test_a_call_of_which_little_is_known_says_so(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    unknown = {"type": None, "code": None, "user_id": None, "phone_number": "hidden", "duration_s": None}
    await insert_calls(portal_id, {"call_id": "a.1", **unknown})
    tab = await open_tab(callbook, stand_in.portals[0])
    answer = await tab.get("/log/calls/a.1")
    text = words_of(answer.text)
    for fact in (
        "Unknown outcome",
        "Unknown direction",
        "Ended Unknown",
        "Cost Unknown",
        "1 part of this call Nobody",
    ):
        assert fact in text
    assert "The number is hidden, so Callbook does not know its other calls." in text
    assert "data-dial" not in answer.text
    assert "data-open-path" not in answer.text


async def test_each_sees_the_calls_and_neighbours_that_are_theirs(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    portal_id = await install(callbook, portal)
    same = {"phone_number": NUMBER}
    await insert_calls(
        portal_id,
        {"call_id": "mine", "user_id": 12, "started_at": NOW, **same},
        {"call_id": "mine-too", "user_id": 12, "started_at": NOW - 60, **same},
        {"call_id": "another-s", "user_id": 18, "started_at": NOW - 30, **same},
        {"call_id": "nobody-s", "user_id": None, "started_at": NOW + 30, **same},
    )
    admin, operator = await open_tab(callbook, portal), await open_tab(callbook, portal, user=12)
    shown = NEIGHBOUR.findall((await admin.get("/log/calls/mine")).text)
    assert shown == ["nobody-s", "another-s", "mine-too"]
    assert NEIGHBOUR.findall((await operator.get("/log/calls/mine")).text) == ["mine-too"]
    for call_id in ("another-s", "nobody-s", "no-such"):
        answer = await operator.get(f"/log/calls/{call_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "call_not_found")
        for first, after in ((call_id, "mine"), ("mine", call_id)):
            path = f"/log/calls/{first}/neighbours"
            assert (await operator.get(path, side="earlier", after=after)).status_code == 404


async def test_neighbours_are_the_nearest_ten_on_each_side_and_then_more(
    callbook: Callbook, stand_in: StandIn
) -> None:
    """Numbers are equal by their digits; calls of the same second keep one order."""
    portal_id = await install(callbook, stand_in.portals[0])
    spellings = ("+1 (202) 555-0143", NUMBER, "12025550143")
    calls = [
        {"call_id": f"c{n}", "phone_number": spellings[n % 3], "started_at": NOW + n // 2} for n in range(50)
    ]
    others = [{"call_id": f"o{n}", "phone_number": "+12025550144", "started_at": NOW + n} for n in range(30)]
    await insert_calls(portal_id, *calls, *others)
    tab = await open_tab(callbook, stand_in.portals[0])
    fragment = (await tab.get("/log/calls/c25")).text
    assert NEIGHBOUR.findall(fragment) == [f"c{n}" for n in (*range(35, 25, -1), *range(24, 14, -1))]
    read = {"earlier": ["c15"], "later": ["c35"]}
    for side, ids in read.items():
        while ids[-1] not in {"c0", "c49"}:
            more = (await tab.get("/log/calls/c25/neighbours", side=side, after=ids[-1])).text
            page = NEIGHBOUR.findall(more)
            ids.extend(page if side == "earlier" else reversed(page))
            assert ("data-more" in more) == (ids[-1] not in {"c0", "c49"})
    assert read["earlier"] == [f"c{n}" for n in range(15, -1, -1)]
    assert read["later"] == [f"c{n}" for n in range(35, 50)]
    assert (await tab.get("/log/calls/c25/neighbours", side="above", after="c1")).status_code == 400


@pytest.mark.parametrize(
    ("entity_type", "path"),
    [
        ("CONTACT", "/crm/contact/details/7/"),
        ("COMPANY", "/crm/company/details/7/"),
        ("LEAD", "/crm/lead/details/7/"),
        ("DEAL", "/crm/deal/details/7/"),
        ("DYNAMIC_128", "/crm/type/128/details/7/"),
        ("ORDER", None),
        ("../../x", None),
    ],
)
def test_a_card_has_the_path_that_the_portal_opens(entity_type: str, path: str | None) -> None:
    assert find_crm_path(entity_type, 7) == path


@pytest.mark.parametrize(
    ("number", "dial"),
    [
        (NUMBER, NUMBER),
        ("104", "104"),
        ("(202) 555-0143", "(202) 555-0143"),
        (" 202 555 ", "202 555"),
        ("hidden", None),
        ("reg133788", None),
        ("+", None),
        (None, None),
    ],
)
def test_only_numbers_can_be_called_back(number: str | None, dial: str | None) -> None:
    assert find_dial(number) == dial
