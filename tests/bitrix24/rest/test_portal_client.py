"""REST calls over real HTTP: answers, errors, back-off, moved portals, batches."""

import asyncio
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from app.bitrix24.errors import BitrixError, Unreachable
from app.bitrix24.rest import portal_client
from app.bitrix24.rest.bucket import MAX_AT_ONCE
from app.bitrix24.rest.exchange import Exchange, redact, summarise
from app.bitrix24.rest.portal_client import BatchAnswer, Command, PortalClient
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.transfer import Reply, transfer
from tests.bitrix24.conftest import FixedClock

TOKEN = "the-access-token"


def answering(server: Any, *replies: tuple[object, dict[str, Any]]) -> None:
    """Answer with each reply in turn, then with the last one again and again."""
    reply_type = server.reply
    remaining = list(replies)

    def handler(_: Any) -> Any:
        document, options = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return reply_type(document, **options)

    server.handler = handler


async def test_a_call_posts_json_with_its_token(
    portal: PortalClient, server: Any, exchanges: list[Exchange]
) -> None:
    answering(server, ({"result": [1, 2], "total": "812", "next": 50, "time": {"operating": 1.5}}, {}))
    answer = await portal.call("user.get", {"start": 0, "FILTER": {"NAME": "Vadim"}}, TOKEN)
    assert (answer.result, answer.total, answer.next) == ([1, 2], 812, 50)
    assert answer.time == {"operating": 1.5}
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/rest/user.get")
    assert request.json == {"start": 0, "FILTER": {"NAME": "Vadim"}, "auth": TOKEN}
    (exchange,) = exchanges
    assert (exchange.kind, exchange.method, exchange.status) == ("rest", "user.get", 200)
    assert exchange.parameters == '{"start": 0, "FILTER": {"NAME": "…"}}'
    assert exchange.result_summary == "list of 2, total 812"
    assert exchange.host == f"127.0.0.1:{server.port}"
    assert TOKEN not in repr(exchange)


async def test_numbers_of_any_size_survive(portal: PortalClient, server: Any) -> None:
    answering(server, (None, {"body": b'{"result": [123456789012345678901234567890, 1.5e300, "\\ud800"]}'}))
    answer = await portal.call("x", {}, TOKEN)
    assert answer.result[0] == 123456789012345678901234567890
    assert answer.result[1] == 1.5e300


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({"error": "expired_token", "error_description": "x"}, 401, "expired_token"),
        ({"error": "ACCESS_DENIED"}, 403, "access_denied"),
        ({"error": "ERROR_ARGUMENT", "argument": "PLACEMENT"}, 200, "error_argument"),
        ({"error": "", "error_description": "Handler already binded"}, 400, "unknown"),
        ({"error": "OPERATION_TIME_LIMIT"}, 429, "operation_time_limit"),
        ({"error": "OVERLOAD_LIMIT"}, 503, "overload_limit"),
    ],
)
async def test_errors_are_raised_once_and_by_code(
    portal: PortalClient, server: Any, document: object, status: int, code: str
) -> None:
    answering(server, (document, {"status": status}))
    with pytest.raises(BitrixError) as failure:
        await portal.call("x", {}, TOKEN)
    assert (failure.value.code, failure.value.status) == (code, status)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"body": b"<html>", "status": 200},
        {"body": b"{}", "status": 200},
        {"body": b'{"result": 1}', "status": 500},
    ],
)
async def test_an_unreadable_answer_is_not_asked_for_twice(
    portal: PortalClient, server: Any, options: dict[str, Any]
) -> None:
    answering(server, (None, options))
    with pytest.raises(Unreachable):
        await portal.call("x", {}, TOKEN)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "busy",
    [
        ({"error": "QUERY_LIMIT_EXCEEDED"}, {"status": 503}),
        (None, {"body": b"<html>", "status": 503}),
        (None, {"body": b"slow down", "status": 429}),
    ],
)
async def test_a_busy_portal_is_asked_again_and_not_for_ever(
    portal: PortalClient, server: Any, waits: list[float], busy: tuple[object, dict[str, Any]]
) -> None:
    answering(server, busy, ({"result": True}, {}))
    assert (await portal.call("x", {}, TOKEN)).result is True
    assert len(server.requests) == 2
    answering(server, busy)
    with pytest.raises((BitrixError, Unreachable)):
        await portal.call("x", {}, TOKEN)
    assert len(server.requests) == 6
    assert all(wait > 0 for wait in waits)


async def test_a_busy_portal_that_holds_its_refusals_back_has_one_time_for_all_of_them(
    portal: PortalClient, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four refusals of 74 s each once took five minutes."""
    totals: list[float] = []

    async def note(*arguments: Any, total_s: float, **options: Any) -> Reply:
        totals.append(total_s)
        return await transfer(*arguments, total_s=total_s, **options)

    monkeypatch.setattr(portal_client, "transfer", note)
    answering(server, (None, {"body": b"later", "status": 503}))
    with pytest.raises(Unreachable):
        await portal.call("x", {}, TOKEN)
    assert len(totals) == 4
    assert all(later <= earlier - 1 for earlier, later in pairwise(totals))
    monkeypatch.setattr(portal_client, "_TOTAL_S", 2.5)  # The pauses are of 1 s, then of 2 s at least.
    with pytest.raises(Unreachable):
        await portal.call("x", {}, TOKEN)
    assert len(totals) <= 4 + 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["{other}profile", "/rest/profile", "", "//[", "https://www.example.com/"]
)
async def test_a_redirect_is_not_followed_wherever_it_leads(
    portal: PortalClient, server: Any, other_server: Any, status: int, location: str
) -> None:
    """Else a portal could send our requests, and the token in them, to any host."""
    target = location.format(other=other_server.rest)
    answering(server, ({"result": 1}, {"status": status, "location": target}))
    with pytest.raises(Unreachable, match="redirects"):
        await portal.call("profile", {}, TOKEN)
    assert (len(server.requests), len(other_server.requests)) == (1, 0)


async def test_a_batch_sends_queries_and_reads_both_shapes(
    portal: PortalClient, server: Any, exchanges: list[Exchange]
) -> None:
    parts = {
        "result": {"a": {"ID": "1"}},
        "result_error": {"b": {"error": "ACCESS_DENIED", "error_description": "no"}},
        "result_total": {"a": 1},
        "result_next": [],
    }
    answering(server, ({"result": parts, "time": {}}, {}))
    commands: dict[str, Command] = {
        "a": (
            "user.get",
            {"FILTER": {">ID": 5, "NAME": "Ann&Bo"}, "select": ["ID", "NAME"], "x": True, "y": None},
        ),
        "b": ("event.bind", {"event": "X", "handler": "$result[a][0][ID]"}),
    }
    answer = await portal.batch(commands, TOKEN, is_halting=True)
    assert answer.results == {"a": {"ID": "1"}}
    assert (answer.errors["b"].code, answer.totals, answer.nexts) == ("access_denied", {"a": 1}, {})
    sent = server.requests[0].json
    assert (sent["halt"], sent["auth"]) == (1, TOKEN)
    method, query = sent["cmd"]["a"].split("?")
    assert method == "user.get"
    assert parse_qs(query) == {
        "FILTER[>ID]": ["5"],
        "FILTER[NAME]": ["Ann&Bo"],
        "select[0]": ["ID"],
        "select[1]": ["NAME"],
        "x": ["1"],
    }
    assert parse_qs(sent["cmd"]["b"].split("?")[1])["handler"] == ["$result[a][0][ID]"]
    assert "Ann" not in exchanges[0].parameters
    assert "user.get" in exchanges[0].parameters


async def test_an_empty_batch_asks_nothing_and_a_long_one_is_a_mistake(
    portal: PortalClient, server: Any
) -> None:
    assert (await portal.batch({}, TOKEN)).results == {}
    with pytest.raises(ValueError, match="50"):
        await portal.batch({str(index): ("profile", {}) for index in range(51)}, TOKEN)
    assert server.requests == []


async def test_php_s_empty_lists_of_a_batch_are_empty_mappings(portal: PortalClient, server: Any) -> None:
    empty: list[object] = []
    parts = dict.fromkeys(("result", "result_error", "result_total", "result_next", "result_time"), empty)
    answering(server, ({"result": parts}, {}))
    assert await portal.batch({"a": ("a", {})}, TOKEN) == BatchAnswer(
        results={}, errors={}, totals={}, nexts={}, time={}
    )
    with pytest.raises(ValueError, match="numbers"):
        await portal.batch({"0": ("a", {})}, TOKEN)


async def test_a_portal_that_holds_back_its_answers_keeps_few_connections(
    portal: PortalClient,
    server: Any,
    other_server: Any,
    policy: AddressPolicy,
    portals_http: httpx.AsyncClient,
    record: Any,
) -> None:
    """Both clients share the connections and the bucket, as all portals of a process do."""
    gate, is_full = asyncio.Event(), asyncio.Event()

    async def hold_back(_: Any) -> Any:
        if len(server.requests) == MAX_AT_ONCE:
            is_full.set()
        await gate.wait()
        return server.reply({"result": 1})

    server.handler = hold_back
    other = PortalClient(portals_http, policy, other_server.rest, portal._bucket, record, FixedClock())  # noqa: SLF001
    held = [asyncio.create_task(portal.call("x", {}, TOKEN)) for _ in range(3 * MAX_AT_ONCE)]
    await is_full.wait()
    assert (await other.call("x", {}, TOKEN)).result is True
    assert len(server.requests) == MAX_AT_ONCE
    held.pop().cancel()
    held.pop(0).cancel()
    gate.set()
    answers = await asyncio.gather(*held)
    assert [answer.result for answer in answers] == [1] * len(held)
    assert len(server.requests) == 3 * MAX_AT_ONCE - 1


def test_records_hold_keys_and_harmless_scalars_only() -> None:
    parameters = {
        "auth": "secret-token",
        "FILTER": {
            ">ID": 123456,
            "PHONE_NUMBER": "+19065550100",
            "<=CALL_START_DATE": "2026-03-11",
            "N": 19065550100,
        },
        "start": 0,
        "access_token": "secret-token",
        "list": ["secret-token", 1, None],
        "handler": "https://app.example/events",
        "object": object(),
    }
    told = redact(parameters)
    assert "secret" not in told
    assert "555" not in told
    for harmless in ("123456", "2026-03-11", "https://app.example/events", "PHONE_NUMBER"):
        assert harmless in told
    assert (summarise({"a": 1}), summarise(True), summarise("+19065550100")) == ("object of 1", "true", "str")
