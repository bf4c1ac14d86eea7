"""Every route answers or refuses any request: none fails, and no error blames the database.

The routes are the router's own: one that is not here fails the test.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from app.demo.stand_in import StandIn
from app.web.settings.form import MAX_LINES
from tests.isolation.test_two_portals import list_routes
from tests.running import Callbook
from tests.web.browsing import Tab, install, open_tab
from tests.web.logged_calls import insert_calls

# As in an address: encoded, and some in a form that no client would send.
ODD = [
    "",
    quote(urlsafe_b64encode(b'["-started_at",1,2,' + b"[" * 9_000)),  # A cursor as its list would write it.
    *("0", "-1", "1e3", "NaN", "%D9%A3", "9" * 19, str(2**63 - 1), str(2**63), "9" * 5000),
    *("%00", "a%00b", "%1A0", "%ED%A0%80", "%FF", "%E2%80%AE", quote("<b>'\"--{}"), "%25%25s", "{}"),
    *(",", "1,2,", ",".join("1" * 60), "1,1" * 15_000, "x" * 40_000),
    *(
        "0001-01-01",
        "9999-12-31",
        "9999-12-31T23:59:59-23:59",
        "99999:59:59",
        "Europe%2F..%2F..%2Fetc%2Fpasswd",
    ),
]
LIST = {
    *("limit", "cursor", "from", "to", "direction", "outcome", "code", "operator", "department", "line"),
    *("duration_from", "duration_to", "recording", "client", "q", "sort", "period", "zone", "columns"),
}
CHOICES = {"operator", "line", "code", "columns"}  # The form reads these, beside the list's own parser.
PARAMETERS: dict[str, set[str]] = {
    **dict.fromkeys(("/log/rows", "/log/choices", "/log/summary", "/api/v1/calls"), LIST),
    **dict.fromkeys(("/api/v1/calls.csv", "/api/v1/calls.xlsx", "/log/export/{kind:str}"), LIST),
    "/log/panel": {"view", "zone"},
    "/log/views": {"view"},
    "/log/calls/{call_id:str}": {"fresh", "zone"},
    "/log/calls/{call_id:str}/neighbours": {"side", "after", "zone"},
    "/api/v1/calls/{call_id:str}/recording": {"leg"},
    "/": {"DOMAIN", "PROTOCOL", "LANG", "APP_SID"},
    "/install": {"DOMAIN", "PROTOCOL", "LANG", "APP_SID"},
    "/settings": {"zone"},
    "/card/rows": {"kind", "card", "activities", "cursor", "columns", "zone", "limit"},
}
JSON_FIELDS: dict[str, set[str]] = {
    "/session": {"member_id", "auth_id", "lang"},
    "/reconnect": {"member_id", "auth_id", "refresh_id", "expires_in"},
    "/log/preferences": {"columns", "theme"},
    "/log/views": {"name", "is_shared", "parameters", "columns"},
    "/log/views/{view_id:int}": {"name", "is_shared", "parameters", "columns"},
}
ODD_JSON = [
    *('""', "null", "true", "-1", "1e400", "9" * 5000, "[]", "{}", '"\\u0000"', '"\\ud800"', '"\\u001a0"'),
    *('["\\u0000"]', '{"q":"\\u0000"}', '{"operator":"' + "9" * 5000 + '"}', '{"\\ud800":"\\ud800"}'),
    *('{"line":"\\ud800"}', '"' + "x" * 60_000 + '"', "[" * 20_000 + "]" * 20_000),
]
PAGE = {"member_id", "AUTH_ID", "PLACEMENT", "PLACEMENT_OPTIONS", "SERVER_ENDPOINT"}
FORM_FIELDS: dict[str, set[str]] = {
    "/settings": {
        *("admins_see", "heads_see", "employees_see", "time_zone", "locale", "retention_months", "line"),
        *("line_name", "confirm_removal"),
    },
    "/": PAGE,
    "/install": PAGE,
    "/card/rows": {"kind", "card", "activities", "auth_id", "cursor", "columns", "zone", "limit"},
    "/events": {
        "event",
        "ts",
        "data[CALL_ID]",
        "data[CALL_DURATION]",
        "auth[member_id]",
        "auth[application_token]",
    },
}
DEEP = b"[" * 20_000
BODIES = [
    *(b'{"x":' + DEEP, b'{"x":' + DEEP + b"]" * 20_000 + b"}"),
    *(
        b"",
        b"\x00",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"',
        b"[" * 30_000,
        b"x" * 100_000,
        b"&" * 60_000,
        b"=&%&%%=",
    ),
    *(
        b"&".join([b"line=1"] * (4 * MAX_LINES + 1)),
        b"a=1&" * 9_000,
        b"%00=%00",
        b"data[[]][=1",
        b'{"a":1,"a":2}',
    ),
]
NO_BODY = {"/install/retry", "/api/v1/calls/{call_id:str}/recording"}
# They answer until the client leaves, or are plain files; none reads a parameter.
WITHOUT = {
    *("/live", "/healthz", "/readyz", "/metrics", "/licence", "/privacy", "/schema", "/schema/openapi.json"),
    *("/schema/{path:str}", "/static/{name:str}", "/install/progress", "/api/v1/sync", "/audio/{token:str}"),
    *("/log/calls/{call_id:str}/transcript", "/api/v1/calls/{call_id:str}"),
}


@pytest.fixture
async def tab(callbook: Callbook, stand_in: StandIn) -> Tab:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, {"call_id": "one"})
    return await open_tab(callbook, stand_in.portals[0])


async def send(tab: Tab, method: str, path: str, body: bytes | None = None) -> httpx.Response:
    kind = "application/x-www-form-urlencoded"
    headers = {"Authorization": f"Bearer {tab.token}", "Content-Type": kind}
    answer = await tab.callbook.client.request(method, path, content=body, headers=headers)
    assert answer.status_code < 500, (method, path[:200], body and body[:200], answer.text[:500])
    is_page = path.partition("?")[0] in {"/", "/install", "/events"} or path.startswith("/schema/")
    if answer.status_code >= 400 and not is_page:
        assert_told(answer)
    return answer


def assert_told(answer: httpx.Response) -> None:
    """Check that a refusal has its status, a code and a sentence; the server itself refuses all that is no
    request.
    """
    if answer.headers["content-type"].startswith("text/plain"):
        return
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["code"]
    assert problem["detail"]


def fill(path: str, value: str = "one") -> str:
    """The route's address with its parameters filled in."""
    return path.replace("{call_id:str}", value).replace("{kind:str}", "csv").replace("{view_id:int}", "1")


@pytest.mark.quick
async def test_every_route_is_here(tab: Tab) -> None:
    known = {*PARAMETERS, *JSON_FIELDS, *FORM_FIELDS, *NO_BODY, *WITHOUT}
    assert {path for _, path in list_routes(tab.callbook)} == known


async def test_no_odd_parameter_fails(tab: Tab) -> None:
    """Lists share one parser, so each list gets each value, but not for each parameter."""
    routes = sorted(list_routes(tab.callbook))
    count = 0
    for place, (method, path) in enumerate(routes):
        for number, name in enumerate(sorted(PARAMETERS.get(path, ()))):
            for index, value in enumerate(ODD):
                is_whole = PARAMETERS[path] != LIST or (path == "/log/choices" and name in CHOICES)
                if method in {"GET", "POST"} and (is_whole or (index + number + place) % 6 == 0):
                    body = None if method == "GET" else b""
                    await send(tab, method, f"{fill(path)}?{name}={value}&{name}={value[:9]}", body)
                    count += 1
    assert count > 800


async def test_no_odd_path_fails(tab: Tab) -> None:
    for method, path in sorted(list_routes(tab.callbook)):
        begin, _, rest = path.partition("{")
        end = rest.partition("}")[2]
        if rest and method not in {"HEAD", "ASGI"}:
            for value in ODD[1:]:
                await send(tab, method, f"{begin}{value}{end}", None if method == "GET" else b"{}")


async def test_no_odd_body_fails(tab: Tab) -> None:
    for method, path in sorted(list_routes(tab.callbook)):
        if method in {"POST", "PUT", "ASGI"}:
            for body in (*BODIES, *_list_json(path), *_list_forms(path)):
                await send(tab, "POST" if method == "ASGI" else method, fill(path), body)


def _list_json(path: str) -> Iterator[bytes]:
    fields: dict[str, Any] = {name: [] if name == "columns" else {} for name in JSON_FIELDS.get(path, ())}
    usual = {"name": "V", "is_shared": False, "member_id": "0" * 32, "auth_id": "0" * 70, "theme": "dark"}
    texts = {name: msgspec.json.encode(usual.get(name, empty)).decode() for name, empty in fields.items()}
    for name in texts:
        for odd in ODD_JSON:
            pairs = (texts | {name: odd}).items()
            yield ("{" + ",".join(f'"{key}":{text}' for key, text in pairs) + "}").encode()


def _list_forms(path: str) -> Iterator[bytes]:
    usual = {
        "kind": "DEAL",
        "card": "1",
        "member_id": "0" * 32,
        "AUTH_ID": "0" * 70,
        "event": "ONVOXIMPLANTCALLEND",
        "line_name": "x",
        "line": "1",
    }
    fields = sorted(FORM_FIELDS.get(path, ()))
    for name in fields:
        for value in ODD:
            pairs = {key: usual[key] for key in fields if key in usual} | {name: value}
            yield "&".join(f"{quote(key)}={text}" for key, text in pairs.items()).encode()


async def test_a_form_of_too_many_fields_is_refused_with_a_sentence(tab: Tab) -> None:
    answer = await send(tab, "POST", "/settings", b"&".join([b"line=1"] * (4 * MAX_LINES + 1)))
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_fields")
    assert answer.json()["detail"] == "The names do not match the lines. Open the settings again."


PLACEMENTS = ["DEFAULT", "REST_APP_URI", "CRM_DEAL_DETAIL_TAB", "CRM_CONTACT_DETAIL_TAB", "\x00", "x" * 9_000]
OPTIONS = [
    *("", "null", "[]", "{", '"x"', "[" * 9_000, '{"ID":"\\u0000"}', '{"ID":-1}', '{"ID":1e400}'),
    *(f'{{"ID":"{number}"}}' for number in ("9" * 19, "9" * 5000, "1.5", "\u0663")),
    *(f'{{"view":"{number}"}}' for number in ("0", "-1", "9" * 19, "9" * 25, "9" * 5000, "1.5")),
    *(f'{{"view":{number}}}' for number in ("0", "-1", 2**63, "9" * 5000, "1e400", "[]")),
    *(
        f'{{"{name}":"{text}"}}'
        for name in ("number", "call")
        for text in ("\\u0000", "\\ud800", "%", "x" * 9_000)
    ),
]


async def test_no_odd_link_or_card_fails(callbook: Callbook, stand_in: StandIn) -> None:
    """A colleague can send a link with any content."""
    portal = stand_in.portals[0]
    await install(callbook, portal)
    query, form = portal.page_form()
    for placement in PLACEMENTS:
        for options in OPTIONS if placement.isupper() else OPTIONS[:1]:
            body = form | {"PLACEMENT": placement, "PLACEMENT_OPTIONS": options}
            answer = await callbook.client.post("/", params=query, data=body)
            if answer.status_code == 429:  # Too many openings by one token.
                query, form = portal.page_form()
                answer = await callbook.client.post(
                    "/", params=query, data=body | {"AUTH_ID": form["AUTH_ID"]}
                )
            assert answer.status_code == 200, (placement[:20], options[:60], answer.text[:500])
