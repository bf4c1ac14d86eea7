"""The parent frame, driven by the vendor's own @bitrix24/b24jssdk in a real Chromium."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Response, get, post
from litestar.params import FromPath
from playwright.async_api import Frame, Page, async_playwright

from app.demo.core.listener import listen

SDK = "@bitrix24/b24jssdk/dist/umd/index.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HTML = '<!DOCTYPE html><html><body><p id="page">{name}</p><script src="/sdk.js"></script></body></html>'


def create_sdk_app() -> Litestar:
    """Another vendor's app: two pages that load the SDK, and nothing else."""
    modules = Path(os.environ.get("NODE_MODULES", Path(__file__).parents[2] / "node_modules"))
    sdk = (modules / SDK).read_bytes()

    @post(["/", "/{name:str}"], status_code=200, sync_to_thread=False)
    def page(name: FromPath[str] = "main") -> Response[str]:
        return Response(HTML.format(name=name), media_type="text/html")

    @get("/sdk.js", sync_to_thread=False)
    def script() -> Response[bytes]:
        return Response(sdk, media_type="text/javascript")

    return Litestar([page, script], openapi_config=None, logging_config=None)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = await browser.new_page(viewport={"width": 1280, "height": 800})
        opened.set_default_timeout(15_000)
        yield opened
        await browser.close()


@pytest.fixture
async def portal(bitrix: Any) -> AsyncIterator[Any]:
    listener = await listen(create_sdk_app())
    bitrix.stand_in.app_url = f"http://127.0.0.1:{listener.port}"
    bitrix.portal.sends_install_event = False
    yield bitrix.portal
    await listener.stop()


async def open_frame(page: Page, url: str) -> Frame:
    """Open a page of the portal; return the app's frame when the SDK in it is initialized."""
    await page.goto(url)
    frame = page.frame_locator("#app-frame")
    await frame.locator("#page").wait_for()
    inner = next(one for one in page.frames if one.parent_frame is not None)
    await inner.wait_for_function("window.B24Js !== undefined")
    await inner.evaluate("async () => { window.b24 = await B24Js.initializeB24Frame(); }")
    return inner


async def commands(page: Page) -> list[str]:
    names: list[str] = await page.evaluate("receivedCommands.map((one) => one.command)")
    return names


async def test_the_official_sdk_installs_and_moves_on(page: Page, portal: Any) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    frame = await open_frame(page, f"{portal.origin}/")
    assert await frame.locator("#page").inner_text() == "install"
    assert await frame.evaluate("[b24.isInstallMode, b24.auth.isAdmin, b24.isFirstRun]") == [True, True, True]
    async with page.expect_navigation():
        await frame.evaluate("() => { b24.installFinish(); }")
    await page.frame_locator("#app-frame").locator("#page", has_text="main").wait_for()
    assert portal.installation.is_finished
    assert errors == []


async def test_the_official_sdk_talks_to_the_parent(page: Page, portal: Any, bitrix: Any) -> None:
    portal.installation.is_finished = True
    frame = await open_frame(page, f"{portal.origin}/")
    auth = await frame.evaluate("b24.auth.getAuthData()")
    assert auth["member_id"] == portal.member_id
    assert auth["domain"] == portal.origin
    fresh = await frame.evaluate("b24.auth.refreshAuth()")
    assert fresh["access_token"] != auth["access_token"]
    assert (await bitrix.app_info(fresh["access_token"])).status_code == 200
    assert await frame.evaluate("b24.parent.resizeWindow(700, 432)") == {"width": 700, "height": 432}
    assert await page.locator("#app-frame").evaluate("frame => frame.offsetHeight") == 432
    await frame.evaluate("b24.parent.setTitle('Hello: world')")
    assert await page.title() == "Hello: world"
    await frame.evaluate("b24.options.userSet('a:b', {c: 'd:e'})")
    assert portal.installation.user_options[1] == {"a:b": {"c": "d:e"}}
    assert await frame.evaluate("b24.parent.message.send('openPath', {path: '/bitrix/admin/'})") == {
        "result": "error",
        "errorCode": "PATH_NOT_AVAILABLE",
    }
    assert await commands(page) == [
        "getInitData",
        "setInstall",
        "refreshAuth",
        "resizeWindow",
        "setTitle",
        "setUserOption",
        "openPath",
    ]


async def test_a_slider_of_the_portal_answers_when_it_closes(page: Page, portal: Any) -> None:
    portal.installation.is_finished = True
    frame = await open_frame(page, f"{portal.origin}/")
    await frame.evaluate(
        "path => { window.whenClosed = b24.parent.message.send('openPath', {path}); }",
        "/crm/contact/details/2/",
    )
    await page.locator("#path-close").click()
    assert await frame.evaluate("whenClosed") == {"result": "close"}
    await frame.evaluate("b24.parent.imPhoneTo('+12025550143')")
    assert (await page.locator("#toast").inner_text()).startswith("Calling +1202")


async def test_strangers_and_unknown_commands_are_ignored(page: Page, portal: Any) -> None:
    portal.installation.is_finished = True
    frame = await open_frame(page, f"{portal.origin}/")
    before = await commands(page)
    await frame.evaluate(
        """() => {
            const sid = window.name.split('|')[2];
            parent.postMessage(`selfDestruct:key:${sid}`, '*');
            parent.postMessage('getInitData:key:wrongsid', '*');
            parent.postMessage('getInitData', '*');
        }"""
    )
    await page.wait_for_function("ignoredMessages.length === 3")
    assert await commands(page) == before


async def test_a_placement_opens_in_a_slider_where_resizing_is_denied(
    page: Page, portal: Any, bitrix: Any
) -> None:
    placement = {"PLACEMENT": "TELEPHONY_ANALYTICS_MENU", "HANDLER": f"{bitrix.stand_in.app_url}/placed"}
    await bitrix.call("placement.bind", {**placement, "LANG_ALL": {"en": {"TITLE": "Call log"}}})
    portal.installation.is_finished = True
    frame = await open_frame(page, f"{portal.origin}/?user=12&placement=TELEPHONY_ANALYTICS_MENU")
    assert await frame.locator("#page").inner_text() == "placed"
    assert await page.locator(".analytics [aria-current]").inner_text() == "Call log"
    assert await frame.evaluate("[b24.auth.isAdmin, b24.placement.title]") == [
        False,
        "TELEPHONY_ANALYTICS_MENU",
    ]
    assert await frame.evaluate("b24.parent.resizeWindow(700, 432)") == {"isSafely": True}


@pytest.mark.parametrize(
    ("user", "status", "text"),
    [("12", 403, "Almost ready"), ("27", 403, "no such active user"), ("2", 403, "no such active user")],
)
async def test_a_user_without_the_right_gets_a_plain_page(
    bitrix: Any, user: str, status: int, text: str
) -> None:
    bitrix.stand_in.app_url = "http://127.0.0.1:1"
    answer = await bitrix.http.get(f"{bitrix.portal.origin}/", params={"user": user})
    assert answer.status_code == status
    assert text in answer.text
    assert "app-frame" not in answer.text
