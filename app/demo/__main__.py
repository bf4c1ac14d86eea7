"""`python -m app.demo`: a Bitrix24 page with Callbook in its frame, and calls that arrive.

Ports: DEMO_PORTAL_PORT (8070), DEMO_OAUTH_PORT (8071), DEMO_APP_PORT (8072); a free port replaces a taken
one. Everything is kept in data/demo/; delete that folder to begin again.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from app.demo.acts.invented_calls import Caller, keep_calling, lay_history
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.callbook import choose_port, load_keys, run_callbook
from app.demo.saved_state import keep_saving, load_state, save_state
from app.demo.stand_in import StandIn
from app.kit.private_files import keep_files_private, make_private_folder, narrow

FOLDER = Path("data/demo")
KEPT = ("keys.json", "stand-in.json", *(f"callbook.sqlite3{part}" for part in ("", "-wal", "-shm")))


def parse_arguments() -> argparse.Namespace:
    """The options of the demo's command line."""
    parser = argparse.ArgumentParser(prog="python -m app.demo", description=__doc__)
    parser.add_argument("--pace", type=float, default=6, help="seconds between calls (6)")
    parser.add_argument("--days", type=int, default=14, help="days of history in a new portal (14)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where it is kept (data/demo)")
    return parser.parse_args()


async def run_demo(arguments: argparse.Namespace, stop: asyncio.Event) -> None:
    """Start stand-in and Callbook, install, and make calls until `stop` is set; then stop both and save the
    stand-in's state.
    """
    folder: Path = arguments.folder
    prepare_folder(folder)
    keys = load_keys(folder / "keys.json")
    state = load_state(folder / "stand-in.json")
    ports = [_port("OAUTH", state.oauth_port or 8071)]
    ports.append(_port("PORTAL", state.portals[0].port if state.portals else 8070))
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
            await _run_until(
                stop,
                keep_calling([portal], caller, arguments.pace),
                keep_saving(folder / "stand-in.json", state, stand_in.tokens),
            )
        save_state(folder / "stand-in.json", state, stand_in.tokens)


def prepare_folder(folder: Path) -> None:
    """Make the folder, for the owner alone; narrow files that an older version of the demo made readable."""
    make_private_folder(folder)
    narrow(folder, [folder / name for name in KEPT])


def describe_environment(stand_in: StandIn, keys: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment of Callbook: its keys, a database in the folder, and this stand-in as Bitrix24."""
    return {
        **keys,
        "DATABASE_URL": os.environ.get("DEMO_DATABASE_URL", f"sqlite:///{folder / 'callbook.sqlite3'}"),
        "B24_OAUTH_SERVERS": stand_in.oauth_origin,
        "B24_ALLOW_HTTP_PORTALS": "1",
        "B24_ALLOW_PRIVATE_PORTALS": "1",
    }


async def install(portal: StandInPortal, app_url: str) -> None:
    """Install as an administrator does. At every start, because the app's address or database may be new."""
    portal.installation.events.clear()
    portal.installation.placements.clear()
    answer = await portal.install(app_url)
    if answer.status_code != httpx.codes.OK:
        print(f"the installer page answered {answer.status_code}; open the portal to see it", flush=True)
        return
    await portal.install_event()


def _port(name: str, default: int) -> int:
    return int(os.environ.get(f"DEMO_{name}_PORT", str(default)))


async def _run_until(stop: asyncio.Event, *jobs: Coroutine[Any, Any, None]) -> None:
    """Run the jobs until `stop` is set or one of them fails; raises the error of that one."""
    tasks = [asyncio.create_task(job) for job in jobs]
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, stopped):
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


async def _run_until_signal(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run_demo(arguments, stop)


def main() -> None:
    """Run the demo; an expected error ends it with one line and no traceback."""
    arguments = parse_arguments()
    keep_files_private()
    try:
        asyncio.run(_run_until_signal(arguments))
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
