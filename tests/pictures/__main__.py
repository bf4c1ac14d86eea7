"""Pictures of every page of the app in the stand-in's frame: `python -m tests.pictures [NAME…]`.

Those of the README show the portal around the frame; the others show only the frame, which keeps them small.
"""

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, async_playwright

from app.demo.acts.invented_calls import Caller, lay_history
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.recordings import record_url
from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.databases import SqliteDatabases
from tests.running import CLIENT_ID, CLIENT_SECRET, Callbook, run_callbook
from tests.web.browsing import install, open_tab

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
DAYS = 3
PHONE = 500
FRAME_ALONE = """Object.assign(document.querySelector("#app-frame").style, {
    position: "fixed", inset: "0", zIndex: 9, inlineSize: "100vw", minBlockSize: "100vh", borderRadius: 0,
})"""

CONTACT = 214
View = Literal["log", "filters", "call", "settings", "export", "views", "card", "wizard"]
# The elements to click when the page is there, and the element that shows the end.
STEPS: dict[View, list[tuple[str, str]]] = {
    "log": [],
    "filters": [("#more-toggle", "#more-filters")],
    "call": [('tr[data-call-id]:has(.tone-good):has-text("+49")', "#call [data-part=facts]")],
    "settings": [("#open-settings", "#portal-settings h1")],
    "export": [("#export-open", "#export-menu")],
    "views": [
        ("#views-open", "#views-menu[open]"),
        ("[data-open-view]:has(small)", "#views-menu:not([data-view='']):not([open])"),
        ("#views-open", "#views-menu[open] #view-link"),
    ],
    "card": [],
    "wizard": [],
}
# The place in the portal, and the element that shows that the page is there.
PLACES: dict[View, tuple[str, str]] = {
    "card": (f"/crm/contact/details/{CONTACT}/?user=1", '#status[data-state="live"]'),
    "wizard": ("/?user=1", '#wizard[data-state="failed"]'),
}
LOG = ("/?user=1", '#status[data-state="live"]')


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the window, the page, the theme, and which of the portal's languages."""

    name: str
    width: int
    height: int
    view: View = "log"
    scheme: Literal["light", "dark"] = "light"
    language: str = "en"
    is_alone: bool = False


def take_all(view: View, *, is_alone: bool = True) -> tuple[Shot, ...]:
    """A page light, dark, in Arabic and on a phone."""
    width, height = (1280, 800) if is_alone else (1440, 900)
    return (
        Shot(f"{view}-light", width, height, view, is_alone=is_alone),
        Shot(f"{view}-dark", width, height, view, scheme="dark", is_alone=is_alone),
        Shot(f"{view}-arabic", width, height, view, language="ar", is_alone=is_alone),
        Shot(f"{view}-phone", 360, 760, view, is_alone=True),  # Bitrix24's mobile app shows the frame alone.
    )


SHOTS = (
    *take_all("log", is_alone=False),
    Shot("log-wide", 2560, 900),
    *take_all("filters"),
    *take_all("call", is_alone=False),
    *take_all("settings"),
    *take_all("export"),
    *take_all("views"),
    *take_all("card"),
    *take_all("wizard"),
)


def lay_calls(portal: StandInPortal) -> None:
    """Write a few days of calls into the portal's own statistics; answered ones have a recording."""
    lay_history(portal, Caller(portal.state), DAYS)
    for row in portal.state.statistics:
        if row.code == "200":
            row.record_url, row.vote = record_url(portal, str(row.id)), 5
            row.comment = "Wants an offer by Friday"
    numbers = Counter(row.phone_number for row in portal.state.statistics)
    often = numbers.most_common(1)[0][0]
    for row in portal.state.statistics:
        if row.phone_number == often:
            row.crm_entity_type, row.crm_entity_id = "CONTACT", CONTACT


async def save_views(callbook: Callbook, portal: StandInPortal) -> None:
    """Save a shared view and one of the viewer's own."""
    tab = await open_tab(callbook, portal)
    for name, is_shared, parameters in (
        ("Missed this week", True, {"period": "week", "outcome": "missed"}),
        ("Long calls", False, {"duration_from": "5:00"}),
    ):
        draft = {"name": name, "is_shared": is_shared, "parameters": parameters, "columns": []}
        headers = {"Authorization": f"Bearer {tab.token}"}
        await callbook.client.post("/log/views", json=draft, headers=headers)


@asynccontextmanager
async def open_portals(folder: Path) -> AsyncIterator[tuple[Callbook, StandInPortal, StandInPortal]]:
    """A portal with Callbook installed and some calls in its log, and a portal that does not let it
    finish.
    """
    url = await asyncio.to_thread(lambda: SqliteDatabases(folder).create())
    clock = SystemClock()
    async with (
        StandIn.serve(portals=2, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=clock) as stand_in,
        run_callbook(url, stand_in, clock) as callbook,
    ):
        portal = stand_in.portals[0]
        lay_calls(portal)
        await install(callbook, portal)
        await save_views(callbook, portal)
        installing = stand_in.portals[1]
        installing.add_app()
        stand_in.fail("event.bind", code="ACCESS_DENIED", status=403, portal=installing)
        yield callbook, portal, installing
        callbook.parts.streams.end_all()


async def take(browser: Browser, shot: Shot, callbook: Callbook, portal: StandInPortal) -> None:
    """Take one picture."""
    context = await browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme=shot.scheme,
        reduced_motion="reduce",
    )
    portal.state.language = shot.language
    page = await context.new_page()
    path, ready = PLACES.get(shot.view, LOG)
    await page.goto(f"{portal.origin}{path}")
    await page.frame_locator("#app-frame").locator(ready).wait_for()
    frame = next(frame for frame in page.frames if frame.url.startswith(callbook.url))
    if shot.is_alone:
        await page.evaluate(FRAME_ALONE)
    for click, done in STEPS[shot.view]:
        await frame.locator(click).first.dispatch_event("click")  # Also if the element is out of view.
        await frame.locator(done).wait_for()
    file = FOLDER / f"{shot.name}.png"
    await page.screenshot(path=file)
    await context.close()
    print(file)


async def main(names: list[str]) -> None:
    """Take these pictures, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp())
    try:
        async with open_portals(folder) as (callbook, portal, installing), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for shot in SHOTS:
                if not names or shot.name in names or shot.view in names:
                    await take(browser, shot, callbook, installing if shot.view == "wizard" else portal)
            await browser.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
