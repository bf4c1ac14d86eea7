"""`python -m app.demo`: a Bitrix24 page with Callbook in its frame, and calls that arrive.

Ports: DEMO_PORTAL_PORT (8070), DEMO_OAUTH_PORT (8071), DEMO_APP_PORT (8072); free ones where taken.
Everything is kept in data/demo/; delete it to begin anew.
"""

import argparse
import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from app.demo.callbook import choose_port, load_keys, run_callbook
from app.demo.caller import Caller, keep_calling, lay_history
from app.demo.keep import keep_saving, load_state, save_state
from app.demo.portal import StandInPortal
from app.demo.stand_in import StandIn

FOLDER = Path("data/demo")


def parse_arguments() -> argparse.Namespace:
    """The switches of the demo."""
    parser = argparse.ArgumentParser(prog="python -m app.demo", description=__doc__)
    parser.add_argument("--pace", type=float, default=6, help="seconds between calls (6)")
    parser.add_argument("--days", type=int, default=14, help="days of history in a new portal (14)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where it is kept (data/demo)")
    return parser.parse_args()


async def run_demo(arguments: argparse.Namespace) -> None:
    """Start both, install, call until SIGINT or SIGTERM, stop both."""
    folder: Path = arguments.folder
    keys = load_keys(folder / "keys.json")
    state = load_state(folder / "stand-in.json")
    ports = [_port("OAUTH", state.oauth_port or 8071)]
    ports.append(_port("PORTAL", state.portals[0].port if state.portals else 8070))
    stopped = _watch_signals()
    async with StandIn.serve(
        client_id=keys["B24_CLIENT_ID"], client_secret=keys["B24_CLIENT_SECRET"], state=state, ports=ports
    ) as stand_in:
        portal = stand_in.portals[0]
        caller = Caller(portal.state, seed=7 + len(portal.state.statistics))
        if not portal.state.statistics:
            lay_history(portal, caller, arguments.days)
        environment = describe_environment(stand_in, keys, folder)
        async with run_callbook(environment, choose_port(_port("APP", 8072))) as app_url:
            await install(portal, app_url)
            print(f"\n  Open  {portal.origin}/  (a Bitrix24 page with Callbook in its frame)\n", flush=True)
            jobs = [
                asyncio.create_task(keep_calling([portal], caller, arguments.pace)),
                asyncio.create_task(keep_saving(folder / "stand-in.json", state, stand_in.tokens)),
            ]
            await asyncio.wait([*jobs, stopped], return_when=asyncio.FIRST_COMPLETED)
            await _end(jobs)
        save_state(folder / "stand-in.json", state, stand_in.tokens)


def describe_environment(stand_in: StandIn, keys: dict[str, str], folder: Path) -> dict[str, str]:
    """Callbook's environment: its keys, a database in the folder, and this stand-in as its Bitrix24."""
    return {
        **keys,
        "DATABASE_URL": os.environ.get("DEMO_DATABASE_URL", f"sqlite:///{folder / 'callbook.sqlite3'}"),
        "B24_OAUTH_SERVERS": stand_in.oauth_origin,
        "B24_ALLOW_HTTP_PORTALS": "1",
        "B24_ALLOW_PRIVATE_PORTALS": "1",
    }


async def install(portal: StandInPortal, app_url: str) -> None:
    """Install as an admin does, when it is not installed or the app's address has changed."""
    handlers = [binding.handler for binding in portal.installation.events]
    portal.stand_in.app_url = app_url
    if (
        portal.installation.is_finished
        and handlers
        and all(one.startswith(f"{app_url}/") for one in handlers)
    ):
        return
    portal.installation.events.clear()
    portal.installation.placements.clear()
    answer = await portal.install(app_url)
    if answer.status_code != httpx.codes.OK:
        print(f"the installer page answered {answer.status_code}; open the portal to see it", flush=True)
        return
    await portal.install_event()


def _port(name: str, default: int) -> int:
    return int(os.environ.get(f"DEMO_{name}_PORT", str(default)))


def _watch_signals() -> asyncio.Task[bool]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return asyncio.create_task(stop.wait())


async def _end(jobs: list[asyncio.Task[None]]) -> None:
    """Cancel what runs on; what failed by itself raises here."""
    for job in jobs:
        job.cancel()
    for job in jobs:
        with suppress(asyncio.CancelledError):
            await job


def main() -> None:
    """Run the demo; a reason to stop is one line, not a traceback."""
    arguments = parse_arguments()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(run_demo(arguments))
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
