"""The README's pictures, taken of the running app in the stand-in's frame: `python -m tests.pictures`."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Frame, Page, async_playwright

from app.demo.portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.databases import SqliteDatabases
from tests.running import CLIENT_ID, CLIENT_SECRET, Callbook, run_callbook
from tests.web.browsing import install
from tests.web.calls import insert_calls

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
CALLS = 60
PHONE = 500
FRAME_ALONE = """Object.assign(document.querySelector("#app-frame").style, {
    position: "fixed", inset: "0", zIndex: 9, inlineSize: "100vw", borderRadius: 0,
})"""
CODES = ("200", "200", "200", "200", "200", "304", "304", "603", "603-S", "486", "480")
# From the ranges that are reserved for fiction.
NUMBERS = ("+14155550142", "+12125550187", "+442079460321", "+33199005678", "+493023125312", "hidden", "104")


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the window, the theme, who looks, in which of the portal's languages."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    user: int = 1
    language: str = "en"


SHOTS = (
    Shot("log-light", 1440, 900),
    Shot("log-dark", 1440, 900, "dark"),
    Shot("log-phone", 360, 760),
    Shot("log-wide", 2560, 900),
    Shot("log-arabic", 1440, 900, language="ar"),
)


def invent_calls(portal: StandInPortal, now: int) -> list[dict[str, Any]]:
    """The same calls each time, only their times move along."""
    chance = random.Random(24)
    users = [user.id for user in portal.users.values() if not user.is_system]
    calls, at = [], now - 40
    for number in range(CALLS):
        code = chance.choice(CODES)
        is_answered = code == "200"
        calls.append(
            {
                "call_id": f"picture-{number}",
                "type": chance.choice((1, 1, 2, 2, 2, 3, 4)),
                "code": code,
                "phone_number": chance.choice(NUMBERS),
                "portal_number": chance.choice(("+493023125000", "+493023125000", "reg133788")),
                "user_id": chance.choice(users),
                "started_at": at,
                "duration_s": chance.randint(20, 1400) if is_answered else 0,
                "cost_e4": chance.choice((1450, 2500, 7300, 12_000)) if is_answered else 0,
                "currency": "EUR",
            }
        )
        at -= chance.randint(200, 4000)
    return calls


@asynccontextmanager
async def open_portal(folder: Path) -> AsyncIterator[tuple[Callbook, StandInPortal]]:
    """A portal with Callbook installed and some calls in its log."""
    url = await asyncio.to_thread(lambda: SqliteDatabases(folder).create())
    clock = SystemClock()
    async with (
        StandIn.serve(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=clock) as stand_in,
        run_callbook(url, stand_in, clock) as callbook,
    ):
        portal = stand_in.portals[0]
        portal_id = await install(callbook, portal)
        await insert_calls(portal_id, *invent_calls(portal, clock.now()))
        yield callbook, portal
        callbook.parts.streams.end_all()


async def app_frame(page: Page, callbook: Callbook) -> Frame:
    """The app's frame once its log is live."""
    app = page.frame_locator("#app-frame")
    await app.locator('#status[data-state="live"]').wait_for()
    return next(frame for frame in page.frames if frame.url.startswith(callbook.url))


async def take(browser: Browser, shot: Shot, callbook: Callbook, portal: StandInPortal) -> None:
    """Take one picture."""
    context = await browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme=shot.scheme,
        reduced_motion="reduce",
    )
    portal.state.language = shot.language
    page = await context.new_page()
    await page.goto(f"{portal.origin}/?user={shot.user}")
    await app_frame(page, callbook)
    if shot.width < PHONE:  # Bitrix24's mobile app shows the frame alone.
        await page.evaluate(FRAME_ALONE)
    path = FOLDER / f"{shot.name}.png"
    await page.screenshot(path=path)
    await context.close()
    print(path)


async def main() -> None:
    """Take all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp())
    try:
        async with open_portal(folder) as (callbook, portal), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for shot in SHOTS:
                await take(browser, shot, callbook, portal)
            await browser.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    asyncio.run(main())
