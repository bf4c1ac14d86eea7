"""REST calls with the stored token: which are repeated, which are not, and which a portal's state forbids."""

import asyncio

import pytest

from app.bitrix24.errors import BitrixError
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.model import Portal
from app.portals.outbound.access import PortalNotConnectedError, PortalUnreachableError
from tests.portals.portal_rows import read_portal
from tests.running import Callbook


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    await portal.install(callbook.url)
    await callbook.settle()
    return portal


async def find(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


async def test_an_expired_token_is_renewed_once_and_the_call_repeated_once(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    portal, before = await find(installed), stand_in.counts["user.get"]
    stand_in.fail("user.get", code="expired_token", status=401)
    with pytest.raises(BitrixError, match="expired_token"):
        await callbook.parts.access.call(portal, "user.get", {})
    assert stand_in.counts["oauth.refresh"] == 1
    assert stand_in.counts["user.get"] - before == 2


@pytest.mark.parametrize("code", ["access_denied", "insufficient_scope"])
async def test_no_other_answer_causes_a_refresh(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, code: str
) -> None:
    stand_in.fail("user.get", code=code, status=403)
    with pytest.raises(BitrixError, match=code):
        await callbook.parts.access.call(await find(installed), "user.get", {})
    assert stand_in.counts["oauth.refresh"] == 0
    assert (await read_portal(callbook, installed.member_id))["token_state"] == "ok"


async def test_a_portal_that_does_not_answer_is_unreachable_and_not_marked(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    stand_in.fail("user.get", network="drop")
    with pytest.raises(PortalUnreachableError):
        await callbook.parts.access.call(await find(installed), "user.get", {})
    assert (await read_portal(callbook, installed.member_id))["token_state"] == "ok"


async def test_a_caller_with_an_older_installation_cannot_use_the_newer_ones_token(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    older = await find(installed)
    await installed.uninstall(clean=False)
    requests = stand_in.counts.total()
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(older, "user.get", {})
    assert stand_in.counts.total() == requests  # No contact after an uninstall.
    await installed.install(callbook.url)
    await callbook.settle()
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(older, "user.get", {})
    assert (await callbook.parts.access.call(await find(installed), "user.get", {})).result


async def test_a_move_is_followed_and_kept(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    portal = await find(installed)
    await installed.move()
    assert (await callbook.parts.access.call(portal, "user.get", {})).result
    row = await read_portal(callbook, installed.member_id)
    assert (row["domain"], row["client_endpoint"]) == (installed.domain, installed.client_endpoint)


async def test_a_move_learnt_under_an_older_installation_is_not_kept(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    portal = await find(installed)
    await installed.move()
    gate = stand_in.hold("user.get")
    calling = asyncio.create_task(callbook.parts.access.call(portal, "user.get", {}))
    await gate.reached()
    await installed.uninstall(clean=False)
    gone = await read_portal(callbook, installed.member_id)
    gate.release()
    await asyncio.gather(calling, return_exceptions=True)
    assert await read_portal(callbook, installed.member_id) == gone


async def test_the_wizards_second_try_renews_a_token_that_has_expired(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    body = {"member_id": installed.member_id, "auth_id": installed.issue_pair().access_token}
    token = (await callbook.client.post("/session", json=body)).json()["token"]
    installed.installation.placements.clear()
    installed.expire_access_tokens()
    headers = {"Authorization": f"Bearer {token}"}
    assert (await callbook.client.post("/install/retry", headers=headers)).status_code == 202
    await callbook.settle()
    steps = (await callbook.client.get("/install/progress", headers=headers)).json()
    assert [step["state"] for step in steps] == ["done"] * 4
    assert len(installed.installation.placements) == 6
