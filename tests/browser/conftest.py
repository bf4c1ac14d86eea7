"""The app in the stand-in's frame, in a real Chromium that blocks third-party cookies."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, BrowserContext, Frame, Page, async_playwright

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from tests.conftest import GENEROUS
from tests.running import CLIENT_ID, CLIENT_SECRET, Callbook, run_callbook
from tests.web.browsing import install

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--test-third-party-cookie-phaseout",
]


@dataclass
class Desk:
    """A person at a browser: the portal's page, Callbook's frame in it, and the lines of the console."""

    context: BrowserContext
    portal: StandInPortal
    callbook: Callbook
    portal_id: int = 0
    console: list[str] = field(default_factory=list)

    async def open(self, user: int = 1) -> tuple[Page, Frame]:
        page = await self.context.new_page()
        page.set_default_timeout(15_000)
        await page.goto(f"{self.portal.origin}/?user={user}")
        return page, await self.app_frame(page)

    async def open_log(self, user: int = 1) -> tuple[Page, Frame]:
        page, frame = await self.open(user)
        await frame.wait_for_selector('#status:not([data-state="connecting"])')
        return page, frame

    async def app_frame(self, page: Page) -> Frame:
        await page.frame_locator("#app-frame").locator("h1").wait_for()
        return next(frame for frame in page.frames if frame.url.startswith(self.callbook.url))


@pytest.fixture
async def real_time_stand_in() -> AsyncIterator[StandIn]:
    async with StandIn.serve(
        portals=1, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=SystemClock()
    ) as served:
        yield served


@pytest.fixture
async def running(sqlite_url: str, real_time_stand_in: StandIn) -> AsyncIterator[Callbook]:
    async with run_callbook(sqlite_url, real_time_stand_in, SystemClock(), GENEROUS) as callbook:
        yield callbook


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest.fixture
async def desk(browser: Browser, running: Callbook, real_time_stand_in: StandIn) -> AsyncIterator[Desk]:
    """A desk before the installation. The test fails if the console says anything at any level."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    made = Desk(context, real_time_stand_in.portals[0], running)
    context.on("console", lambda message: made.console.append(f"{message.type}: {message.text}"))
    context.on("weberror", lambda error: made.console.append(f"error: {error.error}"))
    yield made
    running.parts.streams.end_all()
    await context.close()
    assert made.console == []


@pytest.fixture
async def installed(desk: Desk) -> Desk:
    desk.portal_id = await install(desk.callbook, desk.portal)
    return desk
