"""What the vendor does with portals."""

import argparse
from dataclasses import asdict
from datetime import UTC, datetime

import msgspec

from app.calls.sync import read_last_day
from app.calls.undecodable import list_undecodable, replay_undecodable
from app.portals import queries
from app.portals.model import Portal
from app.settings import Settings
from app.wiring import Parts, open_parts

TIMES = (
    "installed_at",
    "uninstalled_at",
    "erase_at",
    "last_event_at",
    "people_read_at",
    "synced_at",
    "received_at",
)
HIDDEN = ("application_token_hash", "setup")


class NoSuchPortalError(Exception):
    """No portal has this `member_id`."""


async def run(settings: Settings, options: argparse.Namespace) -> None:
    """Do one action and print its result."""
    async with open_parts(settings) as parts:
        if options.action == "list":
            _print([describe(portal) for portal in await queries.list_portals()], is_json=options.json)
            return
        portal = await queries.find_portal(options.member_id.lower())
        if portal is None:
            raise NoSuchPortalError(f"no portal has the member_id {options.member_id}")
        _print(await _act(parts, portal, options), is_json=options.json)


async def _act(parts: Parts, portal: Portal, options: argparse.Namespace) -> list[dict[str, object]]:
    match options.action:
        case "show":
            return [describe(portal)]
        case "sync":
            result = await read_last_day(parts.access, parts.database, parts.clock, parts.changes, portal)
            return [msgspec.to_builtins(result)]
        case "events" if options.replay:
            return [msgspec.to_builtins(await replay_undecodable(parts.ingest, portal))]
        case "events":
            return [_show_times(msgspec.to_builtins(event)) for event in await list_undecodable(portal.id)]
        case _:
            await parts.uninstaller.forget(portal)
            return [{"member_id": portal.member_id, "forgotten": True}]


def describe(portal: Portal) -> dict[str, object]:
    """A portal for the vendor, without anything secret; times in ISO 8601, UTC."""
    shown = {name: value for name, value in asdict(portal).items() if name not in HIDDEN}
    return _show_times(shown | {"has_application_token": portal.application_token_hash is not None})


def _show_times(row: dict[str, object]) -> dict[str, object]:
    shown = dict(row)
    for name in TIMES:
        value = shown.get(name)
        if isinstance(value, int):
            shown[name] = datetime.fromtimestamp(value, UTC).isoformat() if value else None
    return shown


def _print(rows: list[dict[str, object]], *, is_json: bool) -> None:
    if is_json:
        print(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        print("\n".join(f"{name}: {value}" for name, value in row.items()), end="\n\n")
    if not rows:
        print("none")
