"""Any answer of a portal is read within bounds: no reader raises an unexpected error, no answer takes more
memory than a few times its own size, and none stops the loop for long.
"""

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bitrix24.errors import TOO_LARGE, BitrixFailure, TooLarge
from app.bitrix24.methods.bindings import bind_events, bind_placements
from app.bitrix24.methods.cards import CARDS, list_call_activities
from app.bitrix24.methods.departments import list_departments
from app.bitrix24.methods.license import fetch_license
from app.bitrix24.methods.profile import fetch_profile
from app.bitrix24.methods.recordings import RecordedLeg, fetch_transcript, list_addresses
from app.bitrix24.methods.users import list_users
from app.bitrix24.rest.accounts import LocalAccounts
from app.bitrix24.rest.answers import BATCH, CALL, PATIENT, Bounds, decode_part, read_document, read_object
from app.bitrix24.rest.bucket import RateBucket
from app.bitrix24.rest.exchange import Exchange
from app.bitrix24.rest.oauth import AuthorizationServer
from app.bitrix24.rest.portal_client import Command, PortalClient
from app.bitrix24.transport.address_policy import AddressPolicy
from tests.bitrix24.conftest import FixedClock

TOKEN = "the-access-token"
MIB = 1024 * 1024


async def forget(_: Exchange) -> None:
    """Keep no record."""


async def pass_by(_: float) -> None:
    """Wait for nothing."""


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[tuple[PortalClient, AuthorizationServer]]:
    """A portal and an authorization server that answer every request with these bytes."""
    policy = AddressPolicy(["https://oauth.example"], allow_http=False)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(body)))
    async with httpx.AsyncClient(transport=transport) as http:
        bucket = RateBucket(LocalAccounts(lambda: 0.0), pass_by)
        portal = PortalClient(
            http, policy, "https://p.example/rest/", bucket, forget, FixedClock(), sleep=pass_by
        )
        yield portal, AuthorizationServer(http, policy, "app.1", "secret", forget, FixedClock())


async def _list(addresses: AsyncIterator[str]) -> list[str]:
    return [address async for address in addresses]


async def _refresh(server: AuthorizationServer) -> object:
    async with server.refreshing(None, "r") as pair:
        return pair


COMMANDS: dict[str, Command] = {name: ("x", {}) for name in ("p0", "p1", "p2")}
Reader = Callable[[PortalClient, AuthorizationServer], Awaitable[object]]
READERS: dict[str, Reader] = {
    "call": lambda portal, _: portal.call("x", {}, TOKEN),
    "batch": lambda portal, _: portal.batch(COMMANDS, TOKEN),
    "profile": lambda portal, _: fetch_profile(portal, TOKEN),
    "license": lambda portal, _: fetch_license(portal, TOKEN),
    "users": lambda portal, _: list_users(portal, TOKEN, most_users=100, most_memberships=100),
    "departments": lambda portal, _: list_departments(portal, TOKEN),
    "activities": lambda portal, _: list_call_activities(portal, TOKEN, CARDS["CRM_DEAL_DETAIL_TAB"], 1),
    "addresses": lambda portal, _: _list(list_addresses(portal, TOKEN, RecordedLeg("call.1", 1), set())),
    "transcript": lambda portal, _: fetch_transcript(portal, TOKEN, 1, set()),
    "events": lambda portal, _: bind_events(portal, TOKEN, "https://a.example/events", ["X"]),
    "placements": lambda portal, _: bind_placements(
        portal, TOKEN, "https://a.example/", {"en": "x"}, ["P"], ["LINK"]
    ),
    "app.info": lambda _, server: server.app_info(TOKEN),
    "refresh": lambda _, server: _refresh(server),
}
WORDS = (
    *("result", "error", "error_description", "total", "next", "time", "result_error", "result_total"),
    *("result_next", "result_time", "p0", "from50", "card", "activities", "bound", "offered", "X", "P"),
    *("ID", "ADMIN", "NAME", "LAST_NAME", "ACTIVE", "UF_DEPARTMENT", "PARENT", "UF_HEAD", "TIME_ZONE"),
    *("TIME_ZONE_OFFSET", "STATUS", "DAYS", "CODE", "PAYMENT_EXPIRED", "CALL_RECORD_URL", "RECORD_FILE_ID"),
    *("CRM_ACTIVITY_ID", "FILES", "url", "DOWNLOAD_URL", "transcription", "event", "handler", "auth_type"),
    *("placement", "offline", "client_id", "install", "member_id", "expires", "expires_in", "user_id"),
    *("access_token", "refresh_token", "client_endpoint", "domain", "scope", "status", "installed"),
)
ODD = (
    *("nan", "inf", "1e400", "-1", "9" * 5000, "1", "Y", "true", "\ud800", "\x00", "http://[", "//[", "٣"),
    *(10**18, 10**400, -(10**30), 1e308, 5e-324, 0, 1, -1, 2**63, True, False, None),
)
SCALARS = st.one_of(st.sampled_from(ODD), st.integers(), st.text(max_size=20))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, max_size=8)
    ),
    max_leaves=30,
)
BODIES = st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6).flatmap(
    lambda document: st.just(document) | VALUES.map(lambda result: document | {"result": result})
)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, deadline=None)
@given(document=BODIES)
def test_no_reader_raises_an_unexpected_error(name: str, document: Any) -> None:
    async def read() -> None:
        async with answering(json.dumps(document).encode()) as (portal, server):
            with suppress(BitrixFailure):
                await READERS[name](portal, server)

    asyncio.run(read())


async def test_more_bindings_than_a_batch_holds_are_unbound_in_turns() -> None:
    result: Any = [{"event": "X", "handler": f"https://old.example/{n}"} for n in range(120)]
    async with answering(json.dumps({"result": result}).encode()) as (portal, _):
        assert await bind_events(portal, TOKEN, "https://a.example/events", ["X"]) == ["X"]
    bound = [{"placement": "P", "handler": one["handler"]} for one in result]
    found = {"bound": bound, "P": True}
    async with answering(json.dumps({"result": {"result": found}}).encode()) as (portal, _):
        assert await bind_placements(portal, TOKEN, "https://a.example/", {"en": "x"}, ["P"]) == []


RAW = {
    "lists": b'{"result": [' + b"[]," * 4_000_000,
    "objects": b'{"result": [' + b'{"a":1},' * 2_000_000,
    "rows": b'{"result": {"result": {"p0": [' + b'{"ID":1},' * 2_000_000,
    "numbers": b'{"result": [' + b"1," * 4_000_000,
    "one key again and again": b'{"result": {' + b'"a":[],' * 2_000_000,
    "many keys beside the result": b'{"result": 1,' + b'"a":1,' * 2_000_000,
    "deep": b'{"result": ' + b"[" * 4_000_000,
    "deep objects": b'{"a":' * 1_000_000,
    "digits": b'{"result": ' + b"9" * 4_000_000,
    "exponents": b'{"result": ' + b"1e999999," * 400_000,
    "escapes": b'{"result": "' + b"\\u00e9" * 600_000,
    "half characters": b'{"result": "' + b"\\ud800x" * 500_000,
    "invalid bytes": b'{"result": "' + b"\xff" * 4_000_000,
}
ENDS = {
    "lists": b"1]}",
    "objects": b"1]}",
    "rows": b"1]}}}",
    "numbers": b"1]}",
    "one key again and again": b'"a":1}}',
    "many keys beside the result": b'"a":1}',
    "digits": b"}",
    "escapes": b'"}',
    "half characters": b'"}',
    "invalid bytes": b'"}',
}


def make_body(name: str, size: int) -> bytes:
    """A body of as many units as fit, with its end."""
    begin, end = RAW[name], ENDS.get(name, b"")
    unit = {"deep": b"]", "exponents": b"1]}"}.get(name, b"")
    head = begin[: size - len(end) - len(unit)]
    if name in {
        "lists",
        "objects",
        "rows",
        "numbers",
        "one key again and again",
        "many keys beside the result",
    }:
        head = head[: head.rindex(b",") + 1]
    if name in {"escapes", "half characters"}:
        head = head[: head.rindex(b"\\")]
    return head + end


@pytest.mark.parametrize("method", ["call", "batch"])
@pytest.mark.parametrize("name", RAW)
async def test_the_largest_answers_take_a_few_times_their_size(name: str, method: str) -> None:
    bounds = BATCH if method == "batch" else CALL
    body = make_body(name, bounds.most_bytes)
    async with answering(body) as (portal, server):
        tracemalloc.start()
        try:
            await READERS[method](portal, server)
        except BitrixFailure:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert peak <= 10 * bounds.most_bytes


def make_densest(bounds: Bounds, unit: bytes, begin: bytes, end: bytes) -> bytes:
    """The largest number of elements that is allowed, and texts up to the bound of bytes."""
    units = unit * ((bounds.most_elements - 100) // sum(unit.count(one) for one in (b",", b"[", b"{")))
    name = b'"x":' if b":" in unit and not unit.startswith(b"{") else b""
    text = (
        name + b'"' + b"x" * (bounds.most_bytes - len(begin) - len(units) - len(end) - len(name) - 2) + b'"'
    )
    return begin + units + text + end


DENSEST = {
    "a result": make_densest(CALL, b'{"a":1},', b'{"result": {"result": {"p0": [', b"]}}}"),
    "a list for the results": make_densest(BATCH, b"[],", b'{"result": {"result": [', b"]}}"),
    "results that were not asked for": make_densest(BATCH, b'"a":[],', b'{"result": {"result": {', b"}}}"),
    "half a character in it": make_densest(PATIENT, b"[],", b'{"result": ["\\ud800",', b"]}"),
}


@pytest.mark.parametrize("name", DENSEST)
async def test_the_densest_answer_that_is_read_holds_the_loop_up_for_little(name: str) -> None:
    """Compared with one honest page of the statistics on the same machine: if that takes 0.1 ms, at most 0.1
    s.
    """
    page = json.dumps([{f"FIELD_{n}": "some text of a call" for n in range(30)} for _ in range(50)]).encode()
    begun = time.perf_counter()
    for _ in range(100):
        msgspec.json.decode(page)
    page_s = (time.perf_counter() - begun) / 100
    await _longest_step(page)  # The first request of a process makes some parts.
    # The best of five, so that other work of the machine does not count.
    assert min([await _longest_step(DENSEST[name]) for _ in range(5)]) <= 1_000 * page_s


async def _longest_step(body: bytes) -> float:
    longest, is_over = 0.0, False

    async def watch() -> None:
        nonlocal longest
        before = time.perf_counter()
        while not is_over:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now

    async with answering(body) as (portal, server):
        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        with suppress(BitrixFailure):
            await READERS["batch"](portal, server)
        is_over = True
        await watching
    return longest


def test_what_is_over_its_bounds_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(TooLarge):
        read_document(b" " * (CALL.most_bytes + 1), CALL)
    with pytest.raises(TooLarge):
        read_document(b'{"result": [' + b"1," * CALL.most_elements + b"1]}", CALL)
    with pytest.raises(TooLarge):
        read_object(b"[" * (CALL.most_elements + 1), CALL)
    with pytest.raises(TooLarge):
        decode_part(msgspec.Raw(b"," * (CALL.most_elements + 1)), CALL)


async def test_one_result_of_a_batch_that_is_too_large_fails_alone() -> None:
    results = {"p0": ["x" * CALL.most_bytes], "p1": [1], "p2": ["," * CALL.most_elements], "other": [1]}
    async with answering(json.dumps({"result": {"result": results}}).encode()) as (portal, _):
        answer = await portal.batch(COMMANDS, TOKEN)
    assert answer.results == {"p1": [1]}
    assert {name: error.code for name, error in answer.errors.items()} == {"p0": TOO_LARGE, "p2": TOO_LARGE}


async def test_numbers_that_nothing_can_hold_are_none_and_spoil_nothing() -> None:
    body = b'{"result": {"result": {"p0": [1e999999, 2, ' + b"9" * 5000 + b'], "p1": ["\\ud800", NaN]}}}'
    async with answering(body) as (portal, _):
        answer = await portal.batch(COMMANDS, TOKEN)
    assert answer.results == {"p0": [None, 2, None], "p1": ["\ud800", None]}
    assert answer.errors == {}
