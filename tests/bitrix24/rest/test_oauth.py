"""The authorization server, asked over real HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.bitrix24.errors import AddressRefused, BitrixError, Unreachable
from app.bitrix24.rest.exchange import Exchange
from app.bitrix24.rest.oauth import AuthorizationServer, TokenPair
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.network import open_http_client
from app.settings import PRIVATE_NETWORKS

TOKEN = "the-access-token"
NOW = 1_773_239_624
INFO = {
    "result": {
        "client_id": "app.1",
        "scope": "telephony,placement",
        "expires": "2026-03-11T17:28:46+02:00",
        "user_id": 67,
        "install": {
            "installed": True,
            "version": 1,
            "status": "F",
            "scope": "telephony",
            "domain": "portal.bitrix24.com",
            "uri": "https://portal.bitrix24.com",
            "client_endpoint": "https://portal.bitrix24.com/rest/",
            "member_id": "A223C6B3710F85DF22E9377D6C4F7553",
            "member_type": "cloud",
        },
    }
}
PAIR = {
    "access_token": "new-access",
    "client_endpoint": "https://portal.bitrix24.com/rest/",
    "domain": "oauth.bitrix.info",
    "expires": 1780319382,
    "expires_in": 3600,
    "member_id": "a223c6b3710f85df22e9377d6c4f7553",
    "refresh_token": "new-refresh",
    "scope": "crm",
    "server_endpoint": "https://oauth.bitrix.info/rest/",
    "status": "F",
    "user_id": "67",
}


def answering(server: Any, document: object = None, **options: Any) -> None:
    reply_type = server.reply
    server.handler = lambda _: reply_type(document, **options)


async def refresh(authorization: AuthorizationServer, *args: Any) -> TokenPair:
    async with authorization.refreshing(*args) as pair:
        return pair


@pytest.fixture
async def two_servers(server: Any, other_server: Any, record: Any) -> AsyncIterator[AuthorizationServer]:
    policy = AddressPolicy([server.origin, other_server.origin], allow_http=True, private=PRIVATE_NETWORKS)
    async with open_http_client(policy, "oauth") as http:
        clock = type("Clock", (), {"now": lambda _: NOW})()
        yield AuthorizationServer(http, policy, "app.1", "the-client-secret", record, clock)


async def test_app_info_tells_whose_token_it_is(authorization: AuthorizationServer, server: Any) -> None:
    answering(server, INFO)
    info = await authorization.app_info(TOKEN, f"{server.origin}/rest/", "a" * 32)
    assert (info.client_id, info.member_id) == ("app.1", "a223c6b3710f85df22e9377d6c4f7553")
    assert (info.domain, info.client_endpoint) == ("portal.bitrix24.com", "https://portal.bitrix24.com/rest/")
    assert (info.server, info.status, info.user_id) == (server.origin, "F", 67)
    assert (info.scope, info.expires_at, info.is_installed) == ("telephony,placement", 1773242926, True)
    request = server.requests[0]
    assert (request.method, request.path, request.query) == ("GET", "/rest/app.info/", {"auth": TOKEN})


async def test_an_uninstalled_answer_has_no_install(authorization: AuthorizationServer, server: Any) -> None:
    answering(server, {"result": {"client_id": "app.1", "expires": 1780319382, "install": []}})
    info = await authorization.app_info(TOKEN)
    assert (info.member_id, info.user_id, info.is_installed, info.expires_at) == ("", None, False, 1780319382)


async def test_each_listed_server_is_asked_until_one_knows_the_token(
    two_servers: AuthorizationServer, server: Any, other_server: Any
) -> None:
    answering(server, {"error": "invalid_token"}, status=401)
    answering(other_server, INFO)
    assert (await two_servers.app_info(TOKEN)).server == other_server.origin
    assert len(server.requests) == len(other_server.requests) == 1


async def test_a_server_that_knew_the_token_ends_the_search(
    two_servers: AuthorizationServer, server: Any, other_server: Any
) -> None:
    answering(server, {"error": "EXPIRED_TOKEN"}, status=401)
    with pytest.raises(BitrixError) as failure:
        await two_servers.app_info(TOKEN)
    assert failure.value.code == "expired_token"
    assert other_server.requests == []


async def test_silence_of_one_server_outweighs_the_refusal_of_another(
    two_servers: AuthorizationServer, server: Any, other_server: Any
) -> None:
    answering(server, body=b"<html>", status=502)
    answering(other_server, {"error": "invalid_token"}, status=401)
    with pytest.raises(Unreachable):
        await two_servers.app_info(TOKEN)


async def test_refresh_posts_the_secret_and_returns_the_pair(
    authorization: AuthorizationServer, server: Any, exchanges: list[Exchange]
) -> None:
    answering(server, PAIR)
    pair = await refresh(authorization, f"{server.origin}/rest/", "old-refresh", "a" * 32)
    assert (pair.access_token, pair.refresh_token) == ("new-access", "new-refresh")
    assert (pair.expires_at, pair.expires_in, pair.issued_at) == (1780319382, 3600, 1780315782)
    assert (pair.server, pair.client_endpoint) == (server.origin, "https://portal.bitrix24.com/rest/")
    assert (pair.member_id, pair.user_id) == ("a223c6b3710f85df22e9377d6c4f7553", 67)
    assert "new-" not in repr(pair)
    request = server.requests[0]
    assert (request.method, request.path, request.query) == ("POST", "/oauth/token/", {})
    assert request.form == {
        "grant_type": "refresh_token",
        "client_id": "app.1",
        "client_secret": "the-client-secret",
        "refresh_token": "old-refresh",
    }
    (exchange,) = exchanges
    assert (exchange.kind, exchange.method, exchange.status) == ("oauth", "oauth/token", 200)
    assert (exchange.at, exchange.member_id, exchange.error_code) == (NOW, "a" * 32, None)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 410, 500])
@pytest.mark.parametrize("code", ["invalid_grant", "INVALID_CLIENT", "NOT_INSTALLED", "PAYMENT_REQUIRED"])
async def test_errors_are_told_by_code_and_never_by_status(
    authorization: AuthorizationServer, server: Any, status: int, code: str
) -> None:
    answering(server, {"error": code, "error_description": "no"}, status=status)
    with pytest.raises(BitrixError) as failure:
        await refresh(authorization, None, "old-refresh")
    assert (failure.value.code, failure.value.status) == (code.lower(), status)


@pytest.mark.parametrize(
    "options",
    [
        {"body": b"<html>502</html>", "status": 502},
        {"body": b"", "status": 200},
        {"body": b"[]", "status": 200},
        {"body": b"[" * 200_000, "status": 200},
        {"body": b'{"a":' + b"1" * 10_000 + b"}", "status": 200},
        {"body": b"x" * 300_000, "status": 200},
        {"document": {}, "status": 200},
        {"document": {"access_token": "a"}, "status": 200},
        {"document": PAIR, "status": 500},
        {"document": PAIR, "status": 302, "location": "https://evil.example/"},
    ],
)
async def test_an_unreadable_answer_teaches_nothing(
    authorization: AuthorizationServer, server: Any, options: dict[str, Any]
) -> None:
    answering(server, **options)
    with pytest.raises(Unreachable):
        await refresh(authorization, None, "old-refresh")
    with pytest.raises(Unreachable):
        await authorization.app_info(TOKEN)
    assert len(server.requests) == 2


async def test_the_secret_goes_to_no_other_server(
    authorization: AuthorizationServer, server: Any, other_server: Any, exchanges: list[Exchange]
) -> None:
    elsewhere = f"{other_server.origin}/rest/"
    for ask in (refresh(authorization, elsewhere, "x"), authorization.app_info("x", elsewhere)):
        with pytest.raises(AddressRefused, match="B24_OAUTH_SERVERS"):
            await ask
    assert server.requests == other_server.requests == []
    assert exchanges == []


async def test_nothing_secret_is_recorded_or_raised(
    authorization: AuthorizationServer, server: Any, exchanges: list[Exchange]
) -> None:
    secret = "s7p6eclrvim9da28dt9ch94ekreb52sv"
    said = {"error": "invalid_grant", "error_description": f"{secret} +1 (906) 555-01-00\nagain"}
    answering(server, said, status=400)
    for ask in (refresh(authorization, None, secret), authorization.app_info(secret)):
        with pytest.raises(BitrixError) as failure:
            await ask
        assert secret not in str(failure.value)
        assert "555" not in str(failure.value)
        assert "\n" not in str(failure.value)
    told = repr([(e.parameters, e.result_summary, e.error_code, e.method) for e in exchanges])
    assert secret not in told
    assert "555" not in told
    assert "the-client-secret" not in told
    assert [exchange.error_code for exchange in exchanges] == ["invalid_grant"] * 2


async def test_a_closed_door_is_unreachable_and_keeps_its_secrets(record: Any) -> None:
    policy = AddressPolicy(["http://127.0.0.1:1"], allow_http=True, private=PRIVATE_NETWORKS)
    clock = type("Clock", (), {"now": lambda _: NOW})()
    async with open_http_client(policy, "oauth") as http:
        authorization = AuthorizationServer(http, policy, "app.1", "the-client-secret", record, clock)
        with pytest.raises(Unreachable) as failure:
            await authorization.app_info(TOKEN)
    assert failure.value.__cause__ is None
    assert TOKEN not in str(failure.value)


async def test_a_recorder_that_fails_costs_no_new_pair(server: Any, policy: AddressPolicy) -> None:
    async def fail(exchange: Exchange) -> None:
        raise RuntimeError(exchange.method)

    answering(server, PAIR)
    clock = type("Clock", (), {"now": lambda _: NOW})()
    http: httpx.AsyncClient
    async with open_http_client(policy, "oauth") as http:
        authorization = AuthorizationServer(http, policy, "app.1", "the-client-secret", fail, clock)
        assert (await refresh(authorization, None, "old-refresh")).refresh_token == "new-refresh"
