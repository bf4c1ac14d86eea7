"""The answers of the authorization server and the portal about a visitor, and how long they count."""

from typing import Any

import httpx
import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from tests.conftest import GENEROUS
from tests.portals.portal_rows import read_portal
from tests.ports import free_port
from tests.running import Callbook, FakeClock, run_callbook


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    await portal.install(callbook.url)
    await callbook.settle()
    return portal


async def open_session(callbook: Callbook, portal: StandInPortal, access_token: str) -> httpx.Response:
    body = {"member_id": portal.member_id, "auth_id": access_token}
    return await callbook.client.post("/session", json=body)


@pytest.mark.parametrize("code", ["QUERY_LIMIT_EXCEEDED", "INTERNAL_SERVER_ERROR", "something_new"])
async def test_an_answer_that_says_nothing_of_the_token_is_no_rejection(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, code: str
) -> None:
    token = installed.issue_pair().access_token
    stand_in.fail("app.info", code=code, status=503, times=1)
    answer = await open_session(callbook, installed, token)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert (await open_session(callbook, installed, token)).status_code == 200


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("OPERATION_TIME_LIMIT", 503),
        ("OVERLOAD_LIMIT", 503),
        ("INTERNAL_SERVER_ERROR", 503),
        ("ACCESS_DENIED", 403),
        ("user_access_error", 403),
        ("PAYMENT_REQUIRED", 403),
        ("expired_token", 403),
    ],
)
async def test_a_busy_portal_is_not_a_portal_that_refuses(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, code: str, status: int
) -> None:
    stand_in.fail("profile", code=code, status=503, times=1)
    answer = await open_session(callbook, installed, installed.issue_pair().access_token)
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is (status == 503)


async def test_an_answer_that_is_kept_moves_no_portal_back(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    token = installed.issue_pair().access_token
    assert (await open_session(callbook, installed, token)).status_code == 200
    portal = await queries.find_portal(installed.member_id)
    assert portal is not None
    await installed.move()
    await callbook.parts.access.call(portal, "user.get", {})
    assert (await open_session(callbook, installed, token)).status_code == 200
    assert (await read_portal(callbook, installed.member_id))["client_endpoint"] == installed.client_endpoint


async def test_an_installation_asks_now_despite_a_kept_answer(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    pair = installed.issue_pair()
    assert (await open_session(callbook, installed, pair.access_token)).status_code == 200
    before = stand_in.counts["app.info"]
    changes: dict[str, Any] = {"access_token": pair.access_token, "refresh_token": pair.refresh_token}
    for _ in range(2):
        assert (await installed.install_event(**changes)).status_code == 200
    assert stand_in.counts["app.info"] == before + 2


async def test_a_known_portals_token_is_asked_about_at_its_own_server_only(
    database_url: str, stand_in: StandIn, clock: FakeClock
) -> None:
    """The other listed server is away, so Callbook could not tell it from a server that knows the token."""
    servers = (f"http://127.0.0.1:{free_port()}", stand_in.oauth_origin)
    async with run_callbook(database_url, stand_in, clock, GENEROUS, oauth_servers=servers) as callbook:
        portal = stand_in.portals[0]
        assert (await portal.install(callbook.url)).status_code == 200
        assert (await open_session(callbook, portal, "0" * 70)).status_code == 403
