"""The authorization server of the stand-in: settings/oauth/auto-renewal.md and error-codes.md."""

import asyncio
from typing import Any

import httpx
import pytest

from app.demo.core.tokens import ACCESS_LIFE_S, DAY_S


async def test_app_info_names_the_portal_the_app_and_the_user(bitrix: Any) -> None:
    pair = bitrix.portal.issue_pair(bitrix.portal.operator)
    result = (await bitrix.app_info(pair.access_token)).json()["result"]
    assert result["client_id"] == bitrix.stand_in.client_id
    assert result["user_id"] == bitrix.portal.operator.id
    assert result["expires"] == pair.expires_at
    assert result["install"]["member_id"] == bitrix.portal.member_id
    assert result["install"]["client_endpoint"] == bitrix.portal.client_endpoint


async def test_a_refresh_token_is_good_once(bitrix: Any) -> None:
    pair = bitrix.portal.issue_pair()
    first = await bitrix.refresh(pair.refresh_token)
    assert first.status_code == 200
    assert first.json()["domain"] in bitrix.stand_in.oauth_origin
    assert first.json()["member_id"] == bitrix.portal.member_id
    assert (await bitrix.refresh(pair.refresh_token)).json()["error"] == "invalid_grant"
    assert (await bitrix.refresh(first.json()["refresh_token"])).status_code == 200
    assert bitrix.portal.counts["oauth.refresh"] == bitrix.stand_in.counts["oauth.refresh"] == 3


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"refresh_token": "unknown"}, "invalid_grant"),
    ],
)
async def test_a_wrong_request_is_refused(bitrix: Any, changes: dict[str, str], error: str) -> None:
    pair = bitrix.portal.issue_pair()
    answer = await bitrix.refresh(**({"refresh_token": pair.refresh_token} | changes))
    assert answer.json()["error"] == error
    assert (await bitrix.refresh(pair.refresh_token)).status_code == 200


async def test_the_token_of_another_app_is_named_as_such(bitrix: Any) -> None:
    other = bitrix.portal.issue_pair(client_id="app.other")
    assert (await bitrix.app_info(other.access_token)).json()["result"]["client_id"] == "app.other"
    assert (await bitrix.refresh(other.refresh_token)).json()["error"] == "wrong_client"


async def test_tokens_live_by_the_clock(bitrix: Any, clock: Any) -> None:
    pair = bitrix.portal.issue_pair()
    clock.advance(ACCESS_LIFE_S)
    assert (await bitrix.app_info(pair.access_token)).json()["error"] == "expired_token"
    bitrix.stand_in.tokens.refresh_life_days = 28
    short = bitrix.portal.issue_pair()
    clock.advance(28 * DAY_S)
    assert (await bitrix.refresh(short.refresh_token)).json()["error"] == "invalid_grant"
    assert (await bitrix.refresh(pair.refresh_token)).status_code == 200


async def test_refusals_can_be_ordered_for_one_portal_and_some_times(bitrix: Any) -> None:
    first, second = bitrix.stand_in.portals
    rule = bitrix.stand_in.fail("oauth.refresh", code="PAYMENT_REQUIRED", status=402, portal=first, times=1)
    assert (await bitrix.refresh(second.issue_pair().refresh_token)).status_code == 200
    refused = await bitrix.refresh(first.issue_pair().refresh_token)
    assert (refused.status_code, refused.json()["error"]) == (402, "PAYMENT_REQUIRED")
    assert (await bitrix.refresh(first.issue_pair().refresh_token)).status_code == 200
    assert rule.hits == 1


@pytest.mark.parametrize("network", ["drop", "drop_after"])
async def test_a_dropped_connection_may_have_rotated_or_not(bitrix: Any, network: str) -> None:
    pair = bitrix.portal.issue_pair()
    bitrix.stand_in.fail("oauth.refresh", network=network, times=1)
    with pytest.raises(httpx.TransportError):
        await bitrix.refresh(pair.refresh_token)
    assert (await bitrix.refresh(pair.refresh_token)).is_success is (network == "drop")


async def test_other_network_trouble(bitrix: Any) -> None:
    pair = bitrix.portal.issue_pair()
    bitrix.stand_in.fail("app.info", network="html", times=1)
    assert (await bitrix.app_info(pair.access_token)).text.startswith("<!DOCTYPE html>")
    bitrix.stand_in.fail("app.info", network="503", times=1)
    assert (await bitrix.app_info(pair.access_token)).status_code == 503
    bitrix.stand_in.fail("app.info", network="timeout", times=1)
    url = f"{bitrix.stand_in.oauth_origin}/rest/app.info/?auth={pair.access_token}"
    with pytest.raises(httpx.ReadTimeout):
        await bitrix.http.get(url, timeout=0.05)
    assert (await bitrix.app_info(pair.access_token)).status_code == 200


async def test_an_answer_can_be_held_after_the_rotation(bitrix: Any) -> None:
    pair = bitrix.portal.issue_pair()
    gate = bitrix.stand_in.hold("oauth.refresh", times=1)
    held = asyncio.create_task(bitrix.refresh(pair.refresh_token))
    await gate.reached()
    assert (await bitrix.refresh(pair.refresh_token)).json()["error"] == "invalid_grant"
    assert not held.done()
    gate.release()
    assert (await held).status_code == 200


async def test_every_request_is_recorded(bitrix: Any) -> None:
    pair = bitrix.portal.issue_pair()
    await bitrix.refresh(pair.refresh_token)
    await bitrix.call("profile")
    sent = bitrix.stand_in.requests_with(bitrix.stand_in.client_secret)
    assert [request.path for request in sent] == ["/oauth/token/"]
    assert sent[0].member_id is None
    assert [request.member_id for request in bitrix.stand_in.requests_to("profile")] == [
        bitrix.portal.member_id
    ]


async def test_an_uninstall_kills_tokens(bitrix: Any) -> None:
    portal, pair = bitrix.portal, bitrix.portal.issue_pair()
    await portal.uninstall(send=False, answers={"oauth.refresh": ("invalid_client", 401)})
    assert (await bitrix.app_info(pair.access_token)).json()["error"] == "not_installed"
    assert (await bitrix.refresh(pair.refresh_token)).json()["error"] == "invalid_client"
    assert (await bitrix.call("profile", token=pair.access_token)).json()["error"] == "application_not_found"
    _, form = portal.page_form()
    assert (await bitrix.app_info(form["AUTH_ID"])).json()["error"] == "not_installed"
    portal.add_app()
    assert (await bitrix.app_info(portal.issue_pair().access_token)).status_code == 200
