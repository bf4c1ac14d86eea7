"""Portal A's sessions, tokens and events aimed at portal B's data, at every route there is.

The routes are the router's own: one without a case fails the test.
"""

import json
import re
from typing import Any

import pytest

from app.demo.stand_in import StandIn
from tests.isolation.cases import CASES, Sides, open_session
from tests.portals.portal_rows import read_portal
from tests.running import Callbook, FakeClock

OPERATOR_ID = "7777001"  # A user that the other portal does not have.
PUNCTUATION = re.compile(r"[^0-9A-Za-z<>]")  # Between the digits of a number as a page shows it.
TABLES = (
    "portals",
    "calls",
    "call_legs",
    "people",
    "undecodable_events",
    "uninstall_checks",
    "statistics_marks",
    "user_preferences",
    "saved_views",
    "departments",
    "department_members",
    "structures",
    "portal_settings",
)


def list_routes(callbook: Callbook) -> set[tuple[str, str]]:
    """Method and path of every route of the application's router."""
    routes = set()
    for route in callbook.app.routes:
        methods = getattr(route, "methods", None) or {"ASGI"}
        routes |= {(method, route.path_format if methods == {"ASGI"} else route.path) for method in methods}
    return {(method, path) for method, path in routes if method != "OPTIONS"}


@pytest.fixture
async def sides(callbook: Callbook, stand_in: StandIn) -> Sides:
    attacker, victim = stand_in.portals
    for portal in (attacker, victim):
        portal.add_app()
        assert (await portal.install(callbook.url)).status_code == 200
    await callbook.settle()
    theirs = {"PORTAL_USER_ID": OPERATOR_ID}
    calls = [await victim.end_call(phone_number=f"+1202555010{number}", data=theirs) for number in range(3)]
    assert (await victim.end_call(data={"CALL_DURATION": "long"})).responses[0].status_code == 200
    assert (await victim.open_page("/")).status_code == 200
    await callbook.settle()
    _, session = await open_session(callbook, attacker)
    return Sides(callbook, attacker, victim, session, calls[0].rows[0].call_id)


async def read_victim(sides: Sides) -> dict[str, Any]:
    victim = await read_portal(sides.callbook, sides.victim.member_id)
    found: dict[str, Any] = {}
    for table in TABLES:
        column = "id" if table == "portals" else "portal_id"
        found[table] = await sides.callbook.run_sql(f"SELECT * FROM {table} WHERE {column} = {victim['id']}")
    assert found["calls"]
    assert found["people"]
    assert found["department_members"]
    assert found["undecodable_events"]
    return found


def list_secrets(sides: Sides) -> list[str]:
    """The facts that only B may read: numbers, ids of calls, names, address, tokens."""
    victim = sides.victim
    names = [user.last_name for user in victim.users.values() if user.last_name]
    mine = {user.last_name for user in sides.attacker.users.values()}
    numbers = [row.phone_number.lstrip("+") for row in victim.state.statistics]
    ids = [row.call_id for row in victim.state.statistics]
    tokens = [victim.application_token, *victim.state.tokens]
    return [
        OPERATOR_ID,
        *numbers,
        *ids,
        *tokens,
        victim.domain,
        *(name for name in names if name not in mine),
    ]


@pytest.mark.quick
async def test_every_route_has_a_case_here(sides: Sides) -> None:
    assert list_routes(sides.callbook) == set(CASES)


@pytest.mark.parametrize("route", CASES, ids=" ".join)
async def test_nothing_of_b_is_read_or_changed_by_a(sides: Sides, route: tuple[str, str]) -> None:
    secrets, before = list_secrets(sides), await read_victim(sides)
    answers = await CASES[route](sides)
    await sides.callbook.settle()
    assert answers
    for answer in answers:
        assert answer.status_code < 500
        headers = json.dumps(dict(answer.headers))
        shown = answer.text + headers + PUNCTUATION.sub("", answer.text)
        asked = str(answer.request.url) + answer.request.content.decode()
        for secret in secrets:
            assert secret not in shown or secret in asked
    assert await read_victim(sides) == before


# Sessions of A that no longer count


async def assert_ended(callbook: Callbook, session: str) -> None:
    for path in ("/api/v1/calls", "/api/v1/sync", "/log/rows", "/live", "/install/progress"):
        answer = await callbook.client.get(path, headers={"Authorization": f"Bearer {session}"})
        assert answer.status_code == 401, path


async def test_a_changed_token_is_no_session(sides: Sides) -> None:
    key_id, _, body = sides.session.partition(".")
    changed = []
    for position in range(0, len(body) - 1, 17):
        other = "A" if body[position] != "A" else "B"
        changed.append(f"{key_id}.{body[:position]}{other}{body[position + 1 :]}")
    for session in [
        *changed,
        ".",
        body,
        f"other.{body}",
        sides.session[:-4],
        f"{sides.session}AAAA",
        "null",
        "{}",
    ]:
        await assert_ended(sides.callbook, session)


async def test_sealed_secrets_of_the_database_are_no_session(sides: Sides) -> None:
    row = await read_portal(sides.callbook, sides.attacker.member_id)
    for column in ("access_token", "refresh_token", "application_token_hash"):
        await assert_ended(sides.callbook, row[column])


async def test_a_session_ends_after_ten_minutes(sides: Sides, clock: FakeClock) -> None:
    clock.advance(599)
    assert (await sides.send("GET", "/api/v1/sync", headers=sides.bearer)).status_code == 200
    clock.advance(1)
    await assert_ended(sides.callbook, sides.session)


@pytest.mark.quick
@pytest.mark.parametrize("clean", [True, False])
async def test_an_uninstall_ends_all_sessions_at_once_and_a_reinstallation_revives_none(
    sides: Sides, *, clean: bool
) -> None:
    await sides.attacker.uninstall(clean=clean)
    await assert_ended(sides.callbook, sides.session)
    await sides.attacker.install(sides.callbook.url)
    await sides.callbook.settle()
    await assert_ended(sides.callbook, sides.session)
    theirs = (await open_session(sides.callbook, sides.victim))[1]
    answer = await sides.send("GET", "/api/v1/calls", headers={"Authorization": f"Bearer {theirs}"})
    # One of them came from the statistics, because its event was odd.
    assert len(answer.json()["items"]) == 4
