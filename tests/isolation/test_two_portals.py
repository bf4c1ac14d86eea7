"""Portal A's sessions, tokens and events aimed at portal B's data, at every route there is.

The routes are the router's own: one without a case here fails the test.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from app.demo.portal import StandInPortal
from app.demo.stand_in import StandIn
from tests.portals.reading import read_portal
from tests.running import Callbook, FakeClock

TABLES = ("portals", "calls", "call_legs", "people", "undecodable_events", "uninstall_checks")


@dataclass(frozen=True)
class Sides:
    """A, who attacks with all that is A's, and B, of whom A knows what a stranger may learn, and more."""

    callbook: Callbook
    attacker: StandInPortal
    victim: StandInPortal
    session: str
    victim_call_id: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.session}"}

    async def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        return await self.callbook.client.request(method, path, **content)

    async def ask(self, path: str) -> list[httpx.Response]:
        """With A's session, and with each name that could be taken for the tenant's added."""
        names = {"member_id": self.victim.member_id, "portal_id": "2", "portal": self.victim.domain}
        return [
            await self.send("GET", path, headers=self.bearer),
            await self.send("GET", path, headers=self.bearer, params=names),
            await self.send("GET", path, params=names),
        ]


Case = Callable[[Sides], Awaitable[list[httpx.Response]]]


def asking(*paths: str) -> Case:
    async def case(sides: Sides) -> list[httpx.Response]:
        return [answer for path in paths for answer in await sides.ask(path)]

    return case


async def post_page(sides: Sides, path: str) -> list[httpx.Response]:
    """A's verified form with each of B's names in its place, alone and together."""
    answers = []
    query, form = sides.attacker.page_form()
    victims_query, victims_form = sides.victim.page_form(sides.victim.operator)
    mixed: list[tuple[dict[str, str], dict[str, str]]] = [
        (query, form | {"member_id": sides.victim.member_id}),
        (query | {"DOMAIN": sides.victim.domain}, form | {"member_id": sides.victim.member_id}),
        (victims_query, form | {"member_id": sides.victim.member_id, "APPLICATION_TOKEN": "f" * 32}),
        (query, form | {"member_id": sides.victim.member_id, "REFRESH_ID": victims_form["REFRESH_ID"]}),
        (victims_query, victims_form | {"member_id": sides.attacker.member_id}),
    ]
    for parameters, fields in mixed:
        answers.append(await sides.send("POST", path, params=parameters, data=fields))
        assert answers[-1].status_code == 403
    return answers


async def post_session(sides: Sides) -> list[httpx.Response]:
    answers = []
    token = sides.attacker.issue_pair().access_token
    for member_id in (sides.victim.member_id, sides.victim.member_id.upper(), f" {sides.victim.member_id}"):
        body = {"member_id": member_id, "auth_id": token}
        answers.append(await sides.send("POST", "/session", json=body))
        assert answers[-1].status_code == 403
    return answers


async def post_events(sides: Sides) -> list[httpx.Response]:
    """Events that name B and prove A, of every kind, and a call of A's with the id of B's."""
    pair = sides.attacker.issue_pair()
    answers = []
    for name in ("ONVOXIMPLANTCALLEND", "ONAPPINSTALL", "ONAPPUPDATE", "ONAPPUNINSTALL", "ONCRMLEADADD"):
        fields = {
            "event": name,
            "data[CALL_ID]": sides.victim_call_id,
            "data[CLEAN]": "1",
            "auth[member_id]": sides.victim.member_id,
            "auth[application_token]": sides.attacker.application_token,
            "auth[access_token]": pair.access_token,
            "auth[refresh_token]": pair.refresh_token,
            "auth[domain]": sides.victim.domain,
            "auth[server_endpoint]": sides.attacker.stand_in.server_endpoint,
        }
        answers.append(await sides.send("POST", "/events", data=fields))
        assert answers[-1].status_code == 403, name
    own = {
        "event": "ONVOXIMPLANTCALLEND",
        "data[CALL_ID]": sides.victim_call_id,
        "data[PHONE_NUMBER]": "+12025550199",
        "auth[member_id]": sides.attacker.member_id,
        "auth[application_token]": sides.attacker.application_token,
    }
    answers.append(await sides.send("POST", "/events", data=own))
    assert answers[-1].status_code == 200  # It is A's own call from now on, whatever its id.
    return answers


async def retry_steps(sides: Sides) -> list[httpx.Response]:
    body = urlencode({"member_id": sides.victim.member_id})
    return [
        await sides.send("POST", "/install/retry", headers=sides.bearer, content=body),
        await sides.send("POST", "/install/retry", content=body),
    ]


async def head(sides: Sides) -> list[httpx.Response]:
    return [await sides.send("HEAD", path, headers=sides.bearer) for path in ("/", "/install")]


async def follow(sides: Sides) -> list[httpx.Response]:
    """A's stream says `changed` and nothing else, whatever happens at B."""
    refused = await sides.send("GET", "/live", params={"member_id": sides.victim.member_id})
    assert refused.status_code == 401
    async with sides.callbook.client.stream("GET", "/live", headers=sides.bearer) as stream:
        chunks = stream.aiter_raw()
        assert await anext(chunks) == b"event: changed\ndata:\n\n"
    return [refused]


async def read_calls(sides: Sides) -> list[httpx.Response]:
    """Also with a cursor of B's own session."""
    theirs = (await open_session(sides.callbook, sides.victim))[1]
    page = await sides.send("GET", "/api/v1/calls?limit=1", headers={"Authorization": f"Bearer {theirs}"})
    cursor = page.json()["next_cursor"]
    assert cursor is not None
    paths = ["/api/v1/calls", "/api/v1/calls?q=12025550101", f"/api/v1/calls?{urlencode({'cursor': cursor})}"]
    return [answer for path in paths for answer in await sides.ask(path)]


CASES: dict[tuple[str, str], Case] = {
    ("GET", "/"): asking("/"),
    ("HEAD", "/"): head,
    ("POST", "/"): lambda sides: post_page(sides, "/"),
    ("GET", "/install"): asking("/install"),
    ("HEAD", "/install"): head,
    ("POST", "/install"): lambda sides: post_page(sides, "/install"),
    ("GET", "/install/progress"): asking("/install/progress"),
    ("POST", "/install/retry"): retry_steps,
    ("POST", "/session"): post_session,
    ("ASGI", "/events"): post_events,
    ("GET", "/live"): follow,
    ("GET", "/log/rows"): asking("/log/rows", "/log/rows?q=12025550101"),
    ("GET", "/log/operators"): asking("/log/operators"),
    ("GET", "/api/v1/calls"): read_calls,
    ("GET", "/api/v1/calls/{call_id:str}"): lambda sides: asking(f"/api/v1/calls/{sides.victim_call_id}")(
        sides
    ),
    ("GET", "/api/v1/sync"): asking("/api/v1/sync"),
    ("GET", "/healthz"): asking("/healthz"),
    ("GET", "/readyz"): asking("/readyz"),
    ("GET", "/metrics"): asking("/metrics"),
    ("GET", "/licence"): asking("/licence"),
    ("GET", "/privacy"): asking("/privacy"),
    ("GET", "/schema"): asking("/schema"),
    ("GET", "/schema/openapi.json"): asking("/schema/openapi.json"),
    ("GET", "/schema/{path:str}"): asking("/schema/anything"),
    ("GET", "/static/{name:str}"): asking("/static/live.js", "/static/..%2fdata%2fcallbook.sqlite3"),
}


def list_routes(callbook: Callbook) -> set[tuple[str, str]]:
    """Method and path of everything that the application answers, as its router has it."""
    routes = set()
    for route in callbook.app.routes:
        methods = getattr(route, "methods", None) or {"ASGI"}
        routes |= {(method, route.path_format if methods == {"ASGI"} else route.path) for method in methods}
    return {(method, path) for method, path in routes if method != "OPTIONS"}


async def open_session(callbook: Callbook, portal: StandInPortal) -> tuple[str, str]:
    """The token of AUTH_ID and the session token of a portal's admin."""
    pair = portal.issue_pair()
    body = {"member_id": portal.member_id, "auth_id": pair.access_token}
    answer = await callbook.client.post("/session", json=body)
    assert answer.status_code == 200
    return pair.access_token, answer.json()["token"]


@pytest.fixture
async def sides(callbook: Callbook, stand_in: StandIn) -> Sides:
    attacker, victim = stand_in.portals
    for portal in (attacker, victim):
        portal.add_app()
        assert (await portal.install(callbook.url)).status_code == 200
    await callbook.settle()
    calls = [await victim.end_call(phone_number=f"+1202555010{number}") for number in range(3)]
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
    assert found["undecodable_events"]
    return found


def list_secrets(sides: Sides) -> list[str]:
    """What only B may read: numbers, ids of calls, names, address, tokens."""
    victim = sides.victim
    names = [user.last_name for user in victim.users.values() if user.last_name]
    mine = {user.last_name for user in sides.attacker.users.values()}
    numbers = [row.phone_number.lstrip("+") for row in victim.state.statistics]
    ids = [row.call_id for row in victim.state.statistics]
    tokens = [victim.application_token, *victim.state.tokens]
    return [*numbers, *ids, *tokens, victim.domain, *(name for name in names if name not in mine)]


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
        shown = answer.text + json.dumps(dict(answer.headers))
        asked = str(answer.request.url) + answer.request.content.decode()
        for secret in secrets:
            assert secret not in shown or secret in asked
    assert await read_victim(sides) == before


# Sessions of A that are A's no more


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
    assert len(answer.json()["items"]) == 3
