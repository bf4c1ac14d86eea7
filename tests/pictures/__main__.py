"""The README's pictures, taken of the running app in the stand-in's frame: `python -m tests.pictures`."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Frame, Page, async_playwright

from app.demo.caller import Caller, lay_history
from app.demo.portal import StandInPortal
from app.demo.recordings import record_url
from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.databases import SqliteDatabases
from tests.running import CLIENT_ID, CLIENT_SECRET, Callbook, run_callbook
from tests.web.browsing import install

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
DAYS = 3
PHONE = 500
FRAME_ALONE = """Object.assign(document.querySelector("#app-frame").style, {
    position: "fixed", inset: "0", zIndex: 9, inlineSize: "100vw", borderRadius: 0,
})"""

View = Literal["log", "filters", "call", "settings"]
# What to do after the log is there, and what shows that it is done.
STEPS: dict[View, tuple[str, str] | None] = {
    "log": None,
    "filters": ("#more-toggle", "#more-filters"),
    "call": ('tr[data-call-id]:has(.tone-good):has-text("+49")', "#call [data-part=facts]"),
    "settings": ("#open-settings", "#portal-settings h1"),
}


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the window, what is shown, the theme, in which of the portal's languages."""

    name: str
    width: int
    height: int
    view: View = "log"
    scheme: Literal["light", "dark"] = "light"
    language: str = "en"


SHOTS = (
    Shot("log-light", 1440, 900),
    Shot("log-dark", 1440, 900, scheme="dark"),
    Shot("log-phone", 360, 760),
    Shot("log-wide", 2560, 900),
    Shot("log-arabic", 1440, 900, language="ar"),
    Shot("filters-light", 1440, 900, "filters"),
    Shot("call-light", 1440, 900, "call"),
    Shot("call-dark", 1440, 900, "call", scheme="dark"),
    Shot("call-arabic", 1440, 900, "call", language="ar"),
    Shot("call-phone", 360, 760, "call"),
    Shot("settings-light", 1440, 900, "settings"),
    Shot("settings-dark", 1440, 900, "settings", scheme="dark"),
    Shot("settings-phone", 360, 760, "settings"),
)


def lay_calls(portal: StandInPortal) -> None:
    """A few days of calls in the portal's own statistics; those that were answered have a recording."""
    lay_history(portal, Caller(portal.state), DAYS)
    for row in portal.state.statistics:
        if row.code == "200":
            row.record_url, row.vote = record_url(portal, str(row.id)), 5
            row.comment = "Wants an offer by Friday"


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
        lay_calls(portal)
        await install(callbook, portal)
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
    await page.goto(f"{portal.origin}/?user=1")
    frame = await app_frame(page, callbook)
    if shot.width < PHONE:  # Bitrix24's mobile app shows the frame alone.
        await page.evaluate(FRAME_ALONE)
    if (step := STEPS[shot.view]) is not None:
        await frame.locator(step[0]).first.click()
        await frame.locator(step[1]).wait_for()
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
