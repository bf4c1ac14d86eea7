"""For every route the requests that portal A sends to reach portal B, with all secrets of A and the names of
B.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from app.demo.acts.stand_in_portal import StandInPortal
from tests.running import Callbook


@dataclass(frozen=True)
class Sides:
    """Portal A, which attacks with all secrets of its own, and portal B, of which A knows all that a stranger
    may learn, and more.
    """

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
        """Ask with A's session, and with each parameter added that could be taken for the tenant's name."""
        names = {"member_id": self.victim.member_id, "portal_id": "2", "portal": self.victim.domain}
        return [
            await self.send("GET", path, headers=self.bearer),
            await self.send("GET", path, headers=self.bearer, params=names),
            await self.send("GET", path, params=names),
        ]


async def open_session(callbook: Callbook, portal: StandInPortal) -> tuple[str, str]:
    """The token of AUTH_ID and the session token of a portal's administrator."""
    pair = portal.issue_pair()
    body = {"member_id": portal.member_id, "auth_id": pair.access_token}
    answer = await callbook.client.post("/session", json=body)
    assert answer.status_code == 200
    return pair.access_token, answer.json()["token"]


Case = Callable[[Sides], Awaitable[list[httpx.Response]]]


def asking(*paths: str) -> Case:
    async def case(sides: Sides) -> list[httpx.Response]:
        return [answer for path in paths for answer in await sides.ask(path)]

    return case


async def post_page(sides: Sides, path: str) -> list[httpx.Response]:
    """Post A's verified form with each of B's names in its place, alone and together."""
    answers = []
    query, form = sides.attacker.page_form()
    victims_query, victims_form = sides.victim.page_form(sides.victim.operator)
    mixed: list[tuple[dict[str, str], dict[str, str]]] = [
        (query, form | {"member_id": sides.victim.member_id}),
        (query | {"DOMAIN": sides.victim.domain}, form | {"member_id": sides.victim.member_id}),
        (victims_query, form | {"member_id": sides.victim.member_id, "APPLICATION_TOKEN": "f" * 32}),
        (query, form | {"member_id": sides.victim.member_id, "REFRESH_ID": victims_form["REFRESH_ID"]}),
        (victims_query, victims_form | {"member_id": sides.attacker.member_id}),
        (query, form | {"member_id": "0" * 32}),  # No portal is made of an unknown name either.
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


async def post_reconnect(sides: Sides) -> list[httpx.Response]:
    """Post A's verified token for B, and B's refresh token with A's own: neither touches B's pair."""
    answers = []
    own, theirs = sides.attacker.issue_pair(), sides.victim.issue_pair()
    for auth_id, refresh_id in ((own.access_token, own.refresh_token), ("f" * 70, theirs.refresh_token)):
        body = {"member_id": sides.victim.member_id, "auth_id": auth_id, "refresh_id": refresh_id}
        answers.append(await sides.send("POST", "/reconnect", json=body, headers=sides.bearer))
        assert answers[-1].status_code == 403
    return answers


async def post_events(sides: Sides) -> list[httpx.Response]:
    """Post events of every kind that name B and prove A, and a call of A's with the id of one of B's."""
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
    assert answers[-1].status_code == 200  # It is A's own call from now on, with any id.
    return answers


async def retry_steps(sides: Sides) -> list[httpx.Response]:
    body = urlencode({"member_id": sides.victim.member_id})
    return [
        await sides.send("POST", "/install/retry", headers=sides.bearer, content=body),
        await sides.send("POST", "/install/retry", content=body),
    ]


async def post_preferences(sides: Sides) -> list[httpx.Response]:
    """The choices of A's user are A's, also if the body names B; without a session nothing is chosen."""
    body = {"columns": ["number"], "theme": "dark", "portal_id": 2, "user_id": 7777001}
    path = "/log/preferences"
    answers = [
        await sides.send("POST", path, headers=sides.bearer, json=body),
        await sides.send("POST", path, json=body),
    ]
    assert [answer.status_code for answer in answers] == [204, 401]
    return answers


async def write_views(sides: Sides) -> list[httpx.Response]:
    """B's shared view has the first id of all; A can neither read, change nor delete it."""
    theirs = {"Authorization": f"Bearer {(await open_session(sides.callbook, sides.victim))[1]}"}
    draft = {"name": "V", "is_shared": True, "parameters": {"q": sides.victim_call_id}, "columns": ["time"]}
    path = "/log/views"
    before = (await sides.send("POST", path, headers=theirs, json=draft)).text
    rows = await sides.callbook.run_sql("SELECT id FROM saved_views")
    one = f"{path}/{rows[0]['id']}"
    answers = [
        await sides.send("POST", path, headers=sides.bearer, json=draft | {"portal_id": 2, "parameters": {}}),
        await sides.send("PUT", one, headers=sides.bearer, json=draft | {"name": "W", "parameters": {}}),
        await sides.send("DELETE", one, headers=sides.bearer),
        await sides.send("GET", f"/log/panel?view={rows[0]['id']}", headers=sides.bearer),
        await sides.send("DELETE", one),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 404, 404, 401]
    assert (await sides.send("GET", f"{path}?view={rows[0]['id']}", headers=theirs)).text == before
    assert (await sides.send("DELETE", one, headers=theirs)).status_code == 200
    return answers


async def head(sides: Sides) -> list[httpx.Response]:
    return [await sides.send("HEAD", path, headers=sides.bearer) for path in ("/", "/install")]


async def follow(sides: Sides) -> list[httpx.Response]:
    """A's stream says only `changed`, and nothing of B's changes."""
    refused = await sides.send("GET", "/live", params={"member_id": sides.victim.member_id})
    assert refused.status_code == 401
    async with sides.callbook.client.stream("GET", "/live", headers=sides.bearer) as stream:
        chunks = stream.aiter_raw()
        assert await anext(chunks) == b"event: changed\ndata:\n\n"
    return [refused]


async def read_calls(sides: Sides) -> list[httpx.Response]:
    """Read calls, also with a cursor of B's own session."""
    theirs = (await open_session(sides.callbook, sides.victim))[1]
    page = await sides.send("GET", "/api/v1/calls?limit=1", headers={"Authorization": f"Bearer {theirs}"})
    cursor = page.json()["next_cursor"]
    assert cursor is not None
    paths = ["/api/v1/calls", "/api/v1/calls?q=12025550101", f"/api/v1/calls?{urlencode({'cursor': cursor})}"]
    return [answer for path in paths for answer in await sides.ask(path)]


async def read_card(sides: Sides) -> list[httpx.Response]:
    """Read every activity and card that B could have, with a token of B's; A's own portal knows none of
    them.
    """
    answers = []
    token = sides.victim.issue_pair().access_token
    for kind, card in (("CONTACT", "1"), ("DEAL", "2")):
        fields = {
            "kind": kind,
            "card": card,
            "activities": "1,2,3,71,72",
            "member_id": sides.victim.member_id,
        }
        for body in (fields, fields | {"auth_id": token}):
            answers.append(await sides.send("POST", "/card/rows", headers=sides.bearer, data=body))
            answers.append(await sides.send("POST", "/card/rows", data=body))
    assert [answer.status_code for answer in answers] == [200, 401] * 4
    return answers


async def read_neighbours(sides: Sides) -> list[httpx.Response]:
    """Read the neighbours of B's call, and of A's own after B's."""
    own = (await sides.attacker.end_call(phone_number="+12025550101")).call_id
    pairs = [(sides.victim_call_id, own), (own, sides.victim_call_id), (sides.victim_call_id,) * 2]
    paths = [
        f"/log/calls/{call_id}/neighbours?{urlencode({'side': side, 'after': after})}"
        for call_id, after in pairs
        for side in ("earlier", "later")
    ]
    return [answer for path in paths for answer in await sides.ask(path)]


async def change_settings(sides: Sides) -> list[httpx.Response]:
    """A's administrator changes A's settings and names B in every way; B's line and rule stay as they are."""
    form = urlencode({"employees_see": "all", "member_id": sides.victim.member_id, "portal_id": "2"})
    names = {"member_id": sides.victim.member_id, "portal_id": "2"}
    answers = [
        await sides.send("POST", "/settings", headers=sides.bearer, content=form, params=names),
        await sides.send("POST", "/settings", content=form, params=names),
    ]
    assert [answer.status_code for answer in answers] == [200, 401]
    return answers


async def play(sides: Sides) -> list[httpx.Response]:
    """A key sealed for A, or for anything but a recording, opens none of B's."""
    texts = [sides.session, sides.victim_call_id, "x"]
    answers = [
        await sides.send(method, f"/audio/{text}", headers=sides.bearer)
        for text in texts
        for method in ("GET", "HEAD")
    ]
    assert {answer.status_code for answer in answers} == {403}
    return answers


async def link_recording(sides: Sides) -> list[httpx.Response]:
    path = f"/api/v1/calls/{sides.victim_call_id}/recording"
    answers = [await sides.send("POST", path, headers=sides.bearer), await sides.send("POST", path)]
    assert [answer.status_code for answer in answers] == [404, 401]
    return answers


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
    ("POST", "/reconnect"): post_reconnect,
    ("ASGI", "/events"): post_events,
    ("GET", "/live"): follow,
    ("GET", "/log/rows"): asking("/log/rows", "/log/rows?q=12025550101"),
    ("GET", "/log/calls/{call_id:str}"): lambda sides: asking(f"/log/calls/{sides.victim_call_id}")(sides),
    ("GET", "/log/calls/{call_id:str}/neighbours"): read_neighbours,
    ("POST", "/card/rows"): read_card,
    ("GET", "/log/choices"): asking("/log/choices"),
    ("GET", "/log/summary"): asking("/log/summary"),
    ("POST", "/log/preferences"): post_preferences,
    ("GET", "/log/calls/{call_id:str}/transcript"): lambda sides: asking(
        f"/log/calls/{sides.victim_call_id}/transcript"
    )(sides),
    ("GET", "/log/panel"): asking("/log/panel", "/log/panel?view=1"),
    ("GET", "/log/views"): asking("/log/views", "/log/views?view=1"),
    ("POST", "/log/views"): write_views,
    ("PUT", "/log/views/{view_id:int}"): write_views,
    ("DELETE", "/log/views/{view_id:int}"): write_views,
    ("GET", "/api/v1/calls"): read_calls,
    ("GET", "/api/v1/calls/{call_id:str}"): lambda sides: asking(f"/api/v1/calls/{sides.victim_call_id}")(
        sides
    ),
    ("GET", "/api/v1/calls.csv"): asking("/api/v1/calls.csv", "/api/v1/calls.csv?q=12025550101"),
    ("GET", "/api/v1/calls.xlsx"): asking("/api/v1/calls.xlsx", "/api/v1/calls.xlsx?q=12025550101"),
    ("GET", "/log/export/{kind:str}"): asking(
        "/log/export/xlsx", "/log/export/csv", "/log/export/csv?q=12025550101"
    ),
    ("POST", "/api/v1/calls/{call_id:str}/recording"): link_recording,
    ("GET", "/audio/{token:str}"): play,
    ("HEAD", "/audio/{token:str}"): play,
    ("GET", "/api/v1/sync"): asking("/api/v1/sync"),
    ("GET", "/settings"): asking("/settings"),
    ("POST", "/settings"): change_settings,
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
