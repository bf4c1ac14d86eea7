"""The wizard: a setup that was cut off begins again, and a second try shows the obstacle."""

from typing import Any

import httpx
import pytest
from litestar import Request
from litestar.testing import RequestFactory

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals.outbound.access import PortalNotConnectedError, PortalUnreachableError
from app.portals.tokens.refresh_budget import REST_S
from app.web.http.errors import answer_refusal
from tests.running import Callbook, FakeClock


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    portal.add_app()
    return portal


async def open_session(callbook: Callbook, portal: StandInPortal) -> dict[str, str]:
    body = {"member_id": portal.member_id, "auth_id": portal.issue_pair().access_token}
    answer = await callbook.client.post("/session", json=body)
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def read_progress(callbook: Callbook, headers: dict[str, str]) -> list[dict[str, str]]:
    answer = await callbook.client.get("/install/progress", headers=headers)
    steps: list[dict[str, str]] = answer.json()
    return steps


async def retry(callbook: Callbook, headers: dict[str, str]) -> httpx.Response:
    return await callbook.client.post("/install/retry", headers=headers)


async def test_a_set_up_that_was_killed_begins_again_after_a_minute(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    gate = stand_in.hold("event.get")
    await portal.install(callbook.url)
    await gate.reached()
    for task in list(callbook.parts.background._tasks):  # noqa: SLF001
        task.cancel()
    gate.release()
    await callbook.settle()
    headers = await open_session(callbook, portal)
    clock.advance(59)
    assert [step["state"] for step in await read_progress(callbook, headers)] == [
        "done",
        "running",
        "running",
        "running",
    ]
    await callbook.settle()
    assert portal.installation.events == []
    clock.advance(1)
    await read_progress(callbook, headers)
    await callbook.settle()
    assert [step["state"] for step in await read_progress(callbook, headers)] == ["done"] * 4
    assert len(portal.installation.events) == 5


async def test_a_second_try_in_a_portal_to_reconnect_says_what_to_do(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    headers = await open_session(callbook, portal)
    await callbook.run_sql("UPDATE portals SET token_state = 'reinstall_needed'")
    before = stand_in.counts.total()
    assert (await retry(callbook, headers)).status_code == 202
    steps = await read_progress(callbook, headers)
    assert [step["state"] for step in steps] == ["done", "failed", "failed", "failed"]
    assert steps[1]["message"] == "portal_not_connected"
    assert steps[1]["remedy"].startswith("Reload this page")
    assert stand_in.counts.total() == before


async def test_a_second_try_while_nothing_answers_is_told_and_can_be_repeated(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    headers = await open_session(callbook, portal)
    portal.expire_access_tokens()
    stand_in.fail("oauth.refresh", network="drop")
    assert (await retry(callbook, headers)).status_code == 202
    assert [step["message"] for step in (await read_progress(callbook, headers))[1:]] == [
        "portal_unreachable"
    ] * 3
    stand_in.heal()
    clock.advance(REST_S)  # The answer that broke off may have brought a pair.
    headers = await open_session(callbook, portal)
    assert (await retry(callbook, headers)).status_code == 202
    assert [step["state"] for step in await read_progress(callbook, headers)] == ["done"] * 4


@pytest.mark.parametrize(
    ("error", "status"), [(PortalNotConnectedError("Reload."), 409), (PortalUnreachableError("Wait."), 503)]
)
def test_a_portal_that_cannot_be_asked_is_no_fault_of_ours(error: Exception, status: int) -> None:
    request: Request[Any, Any, Any] = RequestFactory().get("/")
    answer = answer_refusal(request, error)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is (status == 503)
