import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.demo.stand_in import StandIn
from app.web.http.assets import FILES
from app.web.http.sessions import OPENINGS_PER_MINUTE
from tests.running import Callbook, FakeClock
from tests.web.browsing import install, open_tab
from tests.web.logged_calls import NOW, insert_calls

MEMBER_ID = "0123456789abcdef0123456789abcdef"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/", "/install"])
async def test_everybody_else_is_told_where_it_opens(callbook: Callbook, path: str) -> None:
    answer = await callbook.client.get(path)
    assert answer.status_code == 200
    assert "opens inside Bitrix24" in answer.text
    assert (await callbook.client.head(path)).status_code == 200


@pytest.mark.parametrize("path", ["/licence", "/privacy"])
async def test_the_pages_of_the_marketplace_card(callbook: Callbook, path: str) -> None:
    answer = await callbook.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == f"{POLICY}https: http:"
    if path == "/privacy":
        assert "30 days" in answer.text


@pytest.mark.quick
async def test_the_page_belongs_to_its_portal_alone(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    headers = (await open_tab(callbook, portal)).page.headers
    assert headers["content-security-policy"] == f"{POLICY}{portal.origin}"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "x-frame-options" not in headers
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", ["/", "/install"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 403),
        ("member_id=x&AUTH_ID=abcdefghijk", 403),
        (f"member_id={MEMBER_ID}", 403),
        (f"member_id={MEMBER_ID}&AUTH_ID=<b>", 403),
        ("member_id=%FF%00&AUTH_ID=%ED%A0%80", 403),
        ("x" * 65_537, 413),
    ],
)
async def test_what_no_portal_posts_gets_a_static_page(
    callbook: Callbook, stand_in: StandIn, path: str, body: str, status: int
) -> None:
    before = stand_in.counts.total()
    answer = await callbook.client.post(path, content=body, headers=FORM)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == f"{POLICY}https: http:"
    assert "session" not in answer.text.replace("session ", "")
    assert stand_in.counts.total() == before


async def test_an_unknown_portal_costs_no_outbound_call(callbook: Callbook, stand_in: StandIn) -> None:
    body = f"member_id={MEMBER_ID}&AUTH_ID=abcdefghijk"
    page = await callbook.client.post("/?DOMAIN=<script>", content=body, headers=FORM)
    session = await callbook.client.post("/session", json={"member_id": MEMBER_ID, "auth_id": "abcdefghijk"})
    assert (page.status_code, session.status_code) == (403, 403)
    assert "<script>" not in page.text
    assert session.headers["content-type"] == "application/problem+json"
    assert stand_in.counts.total() == 0


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"member_id": 1}', b'{"member_id": "x", "auth_id": "\\ud800"}', b"\xff"]
)
async def test_a_malformed_session_request_is_refused(callbook: Callbook, body: bytes) -> None:
    answer = await callbook.client.post("/session", content=body)
    assert answer.status_code == 403
    assert set(answer.json()) == {"type", "title", "status", "detail", "code"}


async def test_a_session_by_request(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"user_id": portal.operator.id}, {"user_id": 1})
    auth_id = portal.issue_pair(portal.operator).access_token
    asked = {"member_id": portal.member_id.upper(), "auth_id": auth_id}
    answer = await callbook.client.post("/session", json=asked)
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 600
    assert answer.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    calls = await callbook.client.get("/api/v1/calls", headers=headers)
    assert [call["call_id"] for call in calls.json()["items"]] == ["call-0"]


async def test_a_token_opens_no_more_than_anybody_does(callbook: Callbook, stand_in: StandIn) -> None:
    """Each opening asks the portal for the user, also if the token is proven already."""
    portal = stand_in.portals[0]
    await install(callbook, portal)
    greedy, honest = (
        {"member_id": portal.member_id, "auth_id": portal.issue_pair().access_token} for _ in range(2)
    )
    statuses = [
        (await callbook.client.post("/session", json=greedy)).status_code for _ in range(OPENINGS_PER_MINUTE)
    ]
    assert set(statuses) == {200}
    asked = stand_in.counts["profile"]
    refused = await callbook.client.post("/session", json=greedy)
    form = {"member_id": greedy["member_id"], "AUTH_ID": greedy["auth_id"]}
    page = await callbook.client.post("/", data=form)
    assert (refused.status_code, page.status_code) == (429, 429)
    assert int(refused.headers["Retry-After"]) > 0
    assert stand_in.counts["profile"] == asked
    assert (await callbook.client.post("/session", json=honest)).status_code == 200


@pytest.mark.quick
async def test_a_session_lives_ten_minutes(callbook: Callbook, stand_in: StandIn, clock: FakeClock) -> None:
    await install(callbook, stand_in.portals[0])
    tab = await open_tab(callbook, stand_in.portals[0])
    clock.advance(599)
    assert (await tab.get("/api/v1/calls")).status_code == 200
    clock.advance(1)
    for path in ("/api/v1/calls", "/api/v1/sync", "/log/rows", "/live", "/install/progress"):
        answer = await tab.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "session_expired"


@pytest.mark.parametrize("header", ["", "Bearer", "Basic eDp5", "Bearer x.y", "Bearer test.AAAA"])
async def test_without_a_token_of_ours_nothing_is_shown(callbook: Callbook, header: str) -> None:
    answer = await callbook.client.get("/api/v1/calls", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("change", ["state = 'uninstalled'", "generation = generation + 1"])
async def test_an_uninstall_or_reinstallation_ends_all_sessions(
    callbook: Callbook, stand_in: StandIn, change: str
) -> None:
    await install(callbook, stand_in.portals[0])
    tab = await open_tab(callbook, stand_in.portals[0])
    await callbook.run_sql(f"UPDATE portals SET {change}")
    answer = await tab.get("/api/v1/calls")
    assert (answer.status_code, answer.json()["code"]) == (401, "portal_uninstalled")


async def test_a_token_opens_nothing_but_a_session(callbook: Callbook, stand_in: StandIn) -> None:
    """A value that Callbook sealed for another purpose is no session."""
    await install(callbook, stand_in.portals[0])
    tab = await open_tab(callbook, stand_in.portals[0])
    keyring = callbook.parts.settings.keyring
    claims = keyring.open(tab.token, "session")
    assert set(json.loads(claims)) >= {"portal_id", "generation", "user_id", "is_admin", "expires_at"}
    forged = keyring.seal(claims, "portals:1:access_token")
    answer = await callbook.client.get("/api/v1/calls", headers={"Authorization": f"Bearer {forged}"})
    assert answer.status_code == 401


async def test_the_wizard_tells_each_step(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    portal.add_app()
    stand_in.fail("placement.bind", code="ACCESS_DENIED", status=403)
    page = await portal.install(callbook.url)
    await callbook.settle()
    assert "Setting up Callbook" in page.text
    assert page.headers["content-security-policy"].endswith(f"frame-ancestors {portal.origin}")
    tab = await open_tab(callbook, portal)
    await callbook.settle()
    steps = (await tab.get("/install/progress")).json()
    assert [(step["name"], step["state"]) for step in steps] == [
        *(("verified", "done"), ("events", "done"), ("placement", "failed")),
        ("cards", "failed"),
    ]
    assert steps[2]["message"] == "access_denied"
    assert steps[2]["remedy"]
    stand_in.heal()
    headers = {"Authorization": f"Bearer {tab.token}"}
    assert (await callbook.client.post("/install/retry", headers=headers)).status_code == 202
    assert {step["state"] for step in (await tab.get("/install/progress")).json()} == {"done"}


async def test_only_administrators_repeat_the_steps(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    tab = await open_tab(callbook, portal, portal.operator.id)
    headers = {"Authorization": f"Bearer {tab.token}"}
    assert (await callbook.client.post("/install/retry", headers=headers)).status_code == 403


async def test_first_rows_come_with_the_page_and_show_names(callbook: Callbook, stand_in: StandIn) -> None:
    portal = stand_in.portals[0]
    portal_id = await install(callbook, portal)
    await insert_calls(portal_id, {"user_id": portal.operator.id, "started_at": NOW})
    text = (await open_tab(callbook, portal)).page.text
    assert "Jonas Falk" in text
    assert "Europe/Berlin" in text
    assert "12:06" in text


@pytest.mark.parametrize("period", ["today", "week", "month", "free", ""])
async def test_periods_begin_with_a_day_of_the_user(
    callbook: Callbook, stand_in: StandIn, period: str
) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    ages = {"today": 0, "week": 6, "month": 29, "free": 400}
    edges = []
    for name, days in ages.items():
        day = datetime(2026, 11, 18, tzinfo=ZoneInfo("Europe/Berlin")) - timedelta(days=days)
        first = int(day.timestamp())
        edges += [{"call_id": f"{name}{early}", "started_at": first - early} for early in (0, 1)]
    await insert_calls(portal_id, *edges)
    tab = await open_tab(callbook, stand_in.portals[0])
    rows = (await tab.get("/log/rows", period=period)).text.count("data-id=")
    assert rows == {"today": 1, "week": 3, "month": 5, "free": 8, "": 8}[period]


async def test_assets_are_served_by_name_only(callbook: Callbook) -> None:
    for name in FILES:
        answer = await callbook.client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=3600"
    page = (await callbook.client.get("/")).text
    url = page.partition('href="/static/callbook.css')[2].partition('"')[0]
    kept = await callbook.client.get(f"/static/callbook.css{url}")
    assert "immutable" in kept.headers["cache-control"]
    for name in ("package.json", "..%2fREADME.md", "htmx.org", "htmx.min.js", "%2e%2e", "x%00"):
        assert (await callbook.client.get(f"/static/{name}")).status_code == 404


async def test_a_database_that_is_away_is_told_as_a_page(
    callbook: Callbook, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = stand_in.portals[0]
    await install(callbook, portal)

    async def fail(*_: object) -> None:
        raise ConnectionError("the database is away")

    monkeypatch.setattr("app.calls.log.log_queries.select_page", fail)
    page = await portal.open_page("/")
    assert page.status_code == 503
    assert page.headers["retry-after"]
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"] == f"{POLICY}https: http:"


async def test_unknown_addresses_and_methods_are_problems(callbook: Callbook) -> None:
    for answer in (await callbook.client.get("/nothing"), await callbook.client.put("/session")):
        assert answer.status_code in {404, 405}
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
