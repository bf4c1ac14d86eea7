"""The vendor's commands for portals."""

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime

import msgspec

from app.calls.intake.replay import replay_undecodable
from app.calls.oddities.undecodable_events import list_undecodable
from app.calls.space.usage_queries import Usage, find_usage, limits_of, name_of
from app.calls.statistics.progress.mark_queries import find_mark
from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.read_turns import Histories
from app.kit.messages.languages import SOURCE
from app.kit.text import escape_text
from app.portals import queries
from app.portals.absence import gone_guard
from app.portals.absence.silence_rules import erased_for_silence_at
from app.portals.absence.uninstall_queries import is_gone, list_gone
from app.portals.model import Portal
from app.portals.settings.quotas import Quotas
from app.settings import Settings
from app.web.display.doubt import find_limited
from app.wiring import Parts, open_parts

TIMES = (
    "installed_at",
    "uninstalled_at",
    "erase_at",
    "last_event_at",
    "people_read_at",
    "synced_at",
    "received_at",
    "complete_up_to",
    "contact_retry_at",
    "contact_since",
    "license_ends_at",
    "checked_at",
    "counted_at",
    "dead_since",
    "seen_at",
    "silence_erases_at",
    "noted_at",
    "next_at",
)
HIDDEN = ("application_token_hash", "setup", "silence_warned_at")


class NoSuchPortalError(Exception):
    """No portal has this `member_id`."""


async def run(settings: Settings, options: argparse.Namespace) -> None:
    """Run one action and print its result; raises NoSuchPortalError."""
    async with open_parts(settings) as parts:
        if options.action in {"list", "gone"}:
            listed = await (_list(parts, options) if options.action == "list" else _ask_gone(parts, options))
            _print(listed, is_json=options.json)
            return
        portal = await queries.find_portal(options.member_id.lower())
        if portal is None:
            raise NoSuchPortalError(f"no portal has the member_id {options.member_id}")
        _print(await _act(parts, portal, options), is_json=options.json)


async def _list(parts: Parts, options: argparse.Namespace) -> list[dict[str, object]]:
    listed = [await describe_whole(parts, portal) for portal in await queries.list_portals()]
    return [row for row in listed if row["attention"] or not options.attention]


async def _ask_gone(parts: Parts, options: argparse.Namespace) -> list[dict[str, object]]:
    """Store the vendor's answer about the portals that say they are gone; returns these portals as they were
    before the answer.
    """
    listed = await list_gone()
    if options.accept:
        await gone_guard.accept(parts.clock)
    elif options.keep:
        await gone_guard.keep()
    return [_show_times(msgspec.to_builtins(portal)) for portal in listed]


async def _act(parts: Parts, portal: Portal, options: argparse.Namespace) -> list[dict[str, object]]:
    match options.action:
        case "show":
            return [await describe_whole(parts, portal)]
        case "sync":
            return [await _sync(parts.histories, portal)]
        case "events" if options.replay:
            return [
                msgspec.to_builtins(
                    await replay_undecodable(parts.ingest, parts.histories.destination_of(portal), portal)
                )
            ]
        case "events":
            return [_show_times(msgspec.to_builtins(event)) for event in await list_undecodable(portal.id)]
        case _:
            await parts.erasure.forget(portal)
            return [{"member_id": portal.member_id, "forgotten": True}]


async def _sync(histories: Histories, portal: Portal) -> dict[str, object]:
    """Read the history as far as the portal allows, then all newer rows; returns the result of the second
    read, with the progress.
    """
    await histories.run_slice(portal, is_forced=True, is_bounded=False)
    read = await histories.catch_up(portal, is_full=True, is_bounded=False)
    result = _show_times(msgspec.to_builtins(read))
    return result | describe_history(await find_mark(portal.id, portal.generation))


async def describe_whole(parts: Parts, portal: Portal) -> dict[str, object]:
    """A portal with its state of reading, the user whose rights limit its calls, its stored amounts, and the
    reasons why the vendor should look at it.
    """
    limited = msgspec.to_builtins(await find_limited(portal, parts.people, SOURCE))
    history = describe_history(await find_mark(portal.id, portal.generation))
    usage = describe_usage(await find_usage(portal.id), parts.room.quotas)
    attention = {"attention": await list_reasons(portal)}
    return describe(portal) | history | {"limited": limited} | usage | attention


async def list_reasons(portal: Portal) -> list[str]:
    """The reasons for attention: `gone` (the portal says it is gone, though no event told of it), `silent`
    (it will be erased soon).
    """
    reasons = ["gone"] if await is_gone(portal.id) else []
    return reasons if erased_for_silence_at(portal) is None else [*reasons, "silent"]


def describe_usage(usage: Usage, quotas: Quotas) -> dict[str, object]:
    """A portal's stored amounts, their quotas, and the names of the quotas that are reached. The number of
    calls is a second old; the other amounts are as old as the last count.
    """
    stored = {name_of(column): getattr(usage, column) for column in limits_of(quotas)}
    most = {name_of(column): limit for column, limit in limits_of(quotas).items()}
    told = {"stored": stored, "quotas": most, "quotas_reached": usage.list_reached(quotas)}
    return _show_times(told | {"counted_at": usage.counted_at})


def describe_history(mark: Mark | None) -> dict[str, object]:
    """The progress of the history, the reason of its last failure, and the moment up to which the log is
    complete.
    """
    if mark is None:
        return {"history": "pending", "complete_up_to": None}
    shown: dict[str, object] = {"history": mark.history_state, "complete_up_to": mark.complete_up_to}
    if mark.has_begun:
        shown |= {"history_done": mark.rows_done, "history_total": mark.rows_total}
    if mark.failure_code is not None:
        name = "read_failure" if mark.history_state == "complete" else "history_failure"
        shown[name] = mark.failure_code
    return _show_times(shown)


def describe(portal: Portal) -> dict[str, object]:
    """A portal's row for the vendor, without secrets; times in ISO 8601, UTC."""
    shown = {name: value for name, value in asdict(portal).items() if name not in HIDDEN}
    shown["token"] = portal.connection
    shown["silence_erases_at"] = erased_for_silence_at(portal)
    return _show_times(shown | {"has_application_token": portal.application_token_hash is not None})


def _show_times(row: dict[str, object]) -> dict[str, object]:
    shown = dict(row)
    for name in TIMES:
        value = shown.get(name)
        if isinstance(value, int):
            shown[name] = datetime.fromtimestamp(value, UTC).isoformat() if value else None
    return shown


def _print(rows: list[dict[str, object]], *, is_json: bool) -> None:
    """Print the rows, as JSON or as lines. Portals choose many of the values, and a terminal may show them,
    so both forms escape every unprintable character.
    """
    if is_json:
        print(json.dumps(msgspec.to_builtins(rows), separators=(",", ":")))  # ASCII only, the rest escaped.
        return
    for row in rows:
        print("\n".join(f"{name}: {escape_text(str(value))}" for name, value in row.items()), end="\n\n")
    if not rows:
        print("none")
