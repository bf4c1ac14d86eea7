"""The obstacles between Callbook and the portal, as people see them: the bar, its button, a page of its
own.
"""

from playwright.async_api import expect

from app.portals import queries
from app.portals.outbound.access import PortalNotConnectedError
from tests.browser.conftest import Desk


async def kill_token(desk: Desk) -> None:
    portal, callbook = desk.portal, desk.callbook
    portal.expire_access_tokens()
    portal.stand_in.fail("oauth.refresh", code="invalid_grant", portal=portal)
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    try:
        await callbook.parts.access.call(found, "user.get", {})
    except PortalNotConnectedError:
        portal.stand_in.heal()
        return
    raise AssertionError("the pair should be dead")


async def test_a_token_that_dies_under_an_open_tab_is_replaced_by_one_click(installed: Desk) -> None:
    installed.callbook.parts.streams.recheck_s = 0.2
    _, frame = await installed.open_log()
    bar = frame.locator("#notice")
    await expect(bar).to_be_empty()
    await kill_token(installed)
    await expect(bar).to_contain_text("Callbook has lost its access to this Bitrix24")
    installed.portal.stand_in.fail("app.info", code="invalid_token", times=1)
    await bar.get_by_role("button", name="Reconnect").click()
    await expect(bar).to_contain_text("That did not work")
    await bar.get_by_role("button", name="Reconnect").click()
    await expect(bar).to_be_empty()
    found = await queries.find_portal(installed.portal.member_id)
    assert found is not None
    assert found.connection == "ok"
    await installed.callbook.settle()
    await installed.callbook.parts.access.call(found, "user.get", {})
    # The browser writes a line about the failed click.
    refused = [line for line in installed.console if "403" in line]
    assert len(refused) == 1
    installed.console.clear()


async def test_a_portal_that_asks_for_payment_has_its_text_in_the_tab_and_a_page_of_its_own(
    installed: Desk,
) -> None:
    installed.callbook.parts.streams.recheck_s = 0.2
    _, frame = await installed.open_log(installed.portal.operator.id)
    installed.portal.state.rest_refusal = "payment_required"
    _, refused = await installed.open()
    await expect(refused.locator("h1")).to_have_text("Bitrix24 asks for payment")
    await expect(refused.locator(".lead")).to_contain_text("Nothing is lost")
    await expect(frame.locator("#notice")).to_contain_text("An administrator can pay in Bitrix24")
    installed.portal.state.rest_refusal = None
    await installed.open_log()
    await expect(frame.locator("#notice")).to_be_empty()
    installed.console[:] = [line for line in installed.console if "403" not in line]
