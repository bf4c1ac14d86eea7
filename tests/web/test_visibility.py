"""One rule about visible calls, on every surface that serves calls, and in force at once after a change."""

import io
import re
import zipfile
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest

from app.calls.log.logged_calls import take_pulse
from app.demo.stand_in import StandIn
from tests.isolation.test_two_portals import list_routes
from tests.running import Callbook
from tests.web.browsing import Tab, install, open_tab
from tests.web.logged_calls import NOW, insert_calls
from tests.web.settings_forms import post_settings

SELLER, HEAD_OF_SALES, HELPER = 12, 14, 21
OWNERS = {"own": SELLER, "colleague": HEAD_OF_SALES, "other": HELPER, "nobody": None}
EVERYTHING = set(OWNERS)
USER_IDS = {f'value="{user_id}"': mark for mark, user_id in OWNERS.items() if user_id}


class Look(NamedTuple):
    """An open tab, and the page that its user opened it with."""

    callbook: Callbook
    tab: Tab
    user_id: int


def marks_in(text: str) -> set[str]:
    """The calls that a text tells anything of: their ids and lines have marks."""
    return {mark for mark in OWNERS if re.search(rf"mark-{mark}\b", text)}


Surface = Callable[[Look], Awaitable[set[str]]]


def reading(path: str, **parameters: str) -> Surface:
    async def surface(look: Look) -> set[str]:
        answer = await look.tab.get(path, **parameters)
        assert answer.status_code in {200, 404}, answer.text
        return marks_in(answer.text)

    return surface


def asking_for_each(path: str) -> Surface:
    async def surface(look: Look) -> set[str]:
        """A hidden call is not found, as if it did not exist."""
        seen = set()
        for mark in OWNERS:
            answer = await look.tab.get(path.format(f"mark-{mark}"))
            assert answer.status_code in {200, 404}
            seen |= marks_in(answer.text) | ({mark} if answer.status_code == 200 else set())
        return seen

    return surface


async def choose(look: Look) -> set[str]:
    """The lines that the form offers, and with them the employees."""
    text = (await look.tab.get("/log/choices")).text
    people = {mark for choice, mark in USER_IDS.items() if choice in text}
    assert people == marks_in(text) - {"nobody"}
    return marks_in(text)


async def sum_up(look: Look) -> set[str]:
    """The sum tells only a number: as many as there are rows."""
    text = (await look.tab.get("/log/summary")).text
    told = re.search(r'data-announcement="(\d+) call', text)
    assert told is not None
    rows = await reading("/log/rows")(look)
    return rows if len(rows) == int(told.group(1)) else {f"{told.group(1)} calls"}


async def unpack(look: Look) -> set[str]:
    answer = await look.tab.get("/api/v1/calls.xlsx")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        return marks_in("".join(book.read(name).decode() for name in book.namelist()))


async def feel(look: Look) -> set[str]:
    """The calls whose changes are news in the stream of live updates."""
    sessions = look.callbook.parts.sessions
    viewer = (await sessions.renew(sessions.open_token(look.tab.token))).viewer
    seen = set()
    for mark in OWNERS:
        before = await take_pulse(viewer, NOW)
        await look.callbook.run_sql(f"UPDATE calls SET duration_s = 77 WHERE call_id = 'mark-{mark}'")
        seen |= {mark} if await take_pulse(viewer, NOW, before) != before else set()
    return seen


async def link_recordings(look: Look) -> set[str]:
    """The link plays only while the user sees the call: `call/test_audio_links.py` checks that."""
    headers, seen = {"Authorization": f"Bearer {look.tab.token}"}, set()
    for mark in OWNERS:
        path = f"/api/v1/calls/mark-{mark}/recording"
        answer = await look.callbook.client.post(path, headers=headers)
        assert answer.status_code in {200, 404}
        seen |= {mark} if answer.status_code == 200 else set()
    return seen


async def open_card(look: Look) -> set[str]:
    """The further rows of a card's tab; all four calls belong to the card."""
    answer = await look.tab.post("/card/rows", kind="CONTACT", card="5", activities="")
    assert answer.status_code == 200
    return marks_in(answer.text)


SURFACES: dict[tuple[str, str], Surface] = {
    ("GET", "/log/rows"): reading("/log/rows"),
    ("GET", "/log/panel"): reading("/log/panel"),
    ("GET", "/log/calls/{call_id:str}/transcript"): asking_for_each("/log/calls/{}/transcript"),
    ("GET", "/log/choices"): choose,
    ("GET", "/log/summary"): sum_up,
    ("GET", "/log/calls/{call_id:str}"): asking_for_each("/log/calls/{}"),
    ("GET", "/log/calls/{call_id:str}/neighbours"): reading(
        "/log/calls/mark-own/neighbours", side="earlier", after="mark-own"
    ),
    ("GET", "/log/export/{kind:str}"): reading("/log/export/csv"),
    ("GET", "/api/v1/calls"): reading("/api/v1/calls"),
    ("GET", "/api/v1/calls/{call_id:str}"): asking_for_each("/api/v1/calls/{}"),
    ("GET", "/api/v1/calls.csv"): reading("/api/v1/calls.csv"),
    ("GET", "/api/v1/calls.xlsx"): unpack,
    ("POST", "/api/v1/calls/{call_id:str}/recording"): link_recordings,
    ("POST", "/card/rows"): open_card,
    ("GET", "/live"): feel,
}
# Routes that serve no calls, or, like the settings, only their number, and only to administrators.
WITHOUT_CALLS = {
    *(("GET", "/"), ("HEAD", "/"), ("GET", "/install"), ("HEAD", "/install"), ("POST", "/install")),
    *(
        ("GET", "/install/progress"),
        ("POST", "/install/retry"),
        ("POST", "/session"),
        ("POST", "/reconnect"),
        ("POST", "/log/preferences"),
        ("GET", "/log/views"),
        ("POST", "/log/views"),
        ("PUT", "/log/views/{view_id:int}"),
        ("DELETE", "/log/views/{view_id:int}"),
    ),
    *(("ASGI", "/events"), ("GET", "/api/v1/sync"), ("GET", "/settings"), ("POST", "/settings")),
    *(("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/licence"), ("GET", "/privacy")),
    *(("GET", "/schema"), ("GET", "/schema/openapi.json"), ("GET", "/schema/{path:str}")),
    *(("GET", "/static/{name:str}"), ("GET", "/audio/{token:str}"), ("HEAD", "/audio/{token:str}")),
}
RULES = [
    (SELLER, {}, {"own"}),
    (SELLER, {"employees_see": "department"}, {"own", "colleague"}),
    (SELLER, {"employees_see": "all"}, EVERYTHING),
    (HEAD_OF_SALES, {}, {"own", "colleague"}),
    (HEAD_OF_SALES, {"heads_see": "own"}, {"colleague"}),
    (1, {}, EVERYTHING),
    (1, {"admins_see": "own", "heads_see": "own"}, set()),
]


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> Callbook:
    """Four calls with one number: the seller's is the latest, so the others are its earlier ones."""
    portal_id = await install(callbook, stand_in.portals[0])
    calls = [
        {
            "call_id": f"mark-{mark}",
            "portal_number": f"mark-{mark}",
            "user_id": user_id,
            "crm_entity_type": "CONTACT",
            "crm_entity_id": 5,
        }
        for mark, user_id in OWNERS.items()
    ]
    await insert_calls(portal_id, *calls)
    await callbook.run_sql(
        "INSERT INTO call_legs (portal_id, call_id, statistics_id, user_id, started_at, has_recording,"
        " received_at, type, phone_number, portal_number, code, duration_s, crm_entity_type, crm_entity_id)"
        " SELECT portal_id, call_id, id, user_id, started_at, TRUE, received_at, type, phone_number,"
        " portal_number, code, duration_s, crm_entity_type, crm_entity_id FROM calls"
    )
    return callbook


@pytest.mark.quick
async def test_every_route_that_serves_calls_is_here(installed: Callbook) -> None:
    assert list_routes(installed) == {*SURFACES, *WITHOUT_CALLS, ("POST", "/")}


@pytest.mark.parametrize(("user_id", "settings", "expected"), RULES)
async def test_every_surface_shows_the_same_calls(
    installed: Callbook, stand_in: StandIn, user_id: int, settings: dict[str, str], expected: set[str]
) -> None:
    """The rule also holds in a tab that was open before it was set."""
    portal = stand_in.portals[0]
    look = Look(installed, await open_tab(installed, portal, user_id), user_id)
    assert (await post_settings(await open_tab(installed, portal), lines=None, **settings)).status_code == 200
    found = {route: await surface(look) for route, surface in SURFACES.items()}
    found["POST", "/"] = marks_in((await open_tab(installed, portal, user_id)).page.text)
    assert found == {route: expect(route, expected) for route in found}


def expect(route: tuple[str, str], expected: set[str]) -> set[str]:
    """The expected calls on this surface; neighbours are those of a visible call."""
    if route[1].endswith("/neighbours"):
        return expected - {"own"} if "own" in expected else set()
    return expected


NAMES = {HEAD_OF_SALES: "Amélie Rousselle", HELPER: "Nadia Haddad"}
DEPARTMENTS = {1: "Northwind", 3: "Sales", 4: "Support"}


async def read_names(tab: Tab, parameters: dict[str, str]) -> set[str]:
    """Those of the employees and departments in a request that the answer names."""
    texts = [(await tab.get(path, **parameters)).text for path in ("/log/rows", "/log/choices")]
    every = {*NAMES.values(), *DEPARTMENTS.values()}
    return {name for name in every if any(re.search(rf"\b{name}\b", text) for text in texts)}


async def test_an_id_that_a_request_names_is_given_a_name_only_if_its_calls_may_be_seen(
    installed: Callbook, stand_in: StandIn
) -> None:
    """Else a user that counts ids up would learn the names of all employees and departments."""
    portal = stand_in.portals[0]
    wanted = {"operator": ",".join(map(str, NAMES)), "department": ",".join(map(str, DEPARTMENTS))}
    seller, head = await open_tab(installed, portal, SELLER), await open_tab(installed, portal, HEAD_OF_SALES)
    assert await read_names(seller, wanted) == {"Sales"}
    assert await read_names(head, wanted) == {"Amélie Rousselle", "Sales"}
    assert await read_names(await open_tab(installed, portal), wanted) >= {*NAMES.values(), "Support"}
    assert "User 21" in (await seller.get("/log/rows", **wanted)).text
    await installed.run_sql(
        "INSERT INTO saved_views (portal_id, user_id, name, is_shared, parameters, columns)"
        " SELECT id, 1, 'V', TRUE, 'operator=21&department=4', 'number' FROM portals"
    )
    view_id = (await installed.run_sql("SELECT id FROM saved_views"))[0]["id"]
    panel = (await seller.get("/log/panel", view=view_id)).text
    assert "User 21" in panel
    assert "Haddad" not in panel
    assert "Support" not in panel


async def test_ids_that_no_call_names_are_not_looked_for(installed: Callbook, stand_in: StandIn) -> None:
    """Else they would become system users, and fill the memory of unknown users."""
    tab = await open_tab(installed, stand_in.portals[0])
    await tab.get("/log/rows", operator="4711,4712")
    await tab.get("/log/choices", operator="4711,4712")
    await installed.run_sql("UPDATE portals SET people_read_at = 0")
    await open_tab(installed, stand_in.portals[0])
    await installed.settle()
    assert await installed.run_sql("SELECT * FROM people WHERE user_id IN (4711, 4712)") == []


async def test_totals_are_told_only_to_viewers_that_see_all(installed: Callbook, stand_in: StandIn) -> None:
    """The number of statistics rows counts all users' calls, and the last event may be any user's."""
    portal = stand_in.portals[0]
    await portal.end_call()
    await installed.settle()
    whole = (await (await open_tab(installed, portal)).get("/api/v1/sync")).json()
    assert whole["last_event_at"] is not None
    assert whole["history"]["done"] is not None
    seller = (await (await open_tab(installed, portal, SELLER)).get("/api/v1/sync")).json()
    assert (seller["last_event_at"], seller["history"]["done"], seller["history"]["total"]) == (None,) * 3
    assert seller["history"]["state"] == whole["history"]["state"]


async def test_a_head_of_more_employees_than_a_statement_has_parameters_sees_their_calls(
    installed: Callbook, stand_in: StandIn
) -> None:
    """PostgreSQL takes 32,767 of them, SQLite 32,766."""
    await installed.run_sql(
        "INSERT INTO department_members (portal_id, department_id, user_id)"
        " WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 41000)"
        " SELECT portals.id, 3, i FROM n, portals"
    )
    tab = await open_tab(installed, stand_in.portals[0], HEAD_OF_SALES)
    look = Look(installed, tab, HEAD_OF_SALES)
    for route in (
        ("GET", "/log/rows"),
        ("GET", "/log/choices"),
        ("GET", "/log/summary"),
        ("GET", "/api/v1/calls.csv"),
    ):
        assert await SURFACES[route](look) == {"own", "colleague"}, route
