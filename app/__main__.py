"""The command line: `python -m app COMMAND` (docs/interface.md, "Commands")."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from app.calls.statistics.fetch.range_requests import StatisticsRefusedError
from app.calls.statistics.forward_read import PortalRestsError
from app.commands import keys, portals, processes
from app.kit.crypto import CannotDecryptError
from app.kit.messages.logging import configure_logging
from app.kit.private_files import keep_files_private
from app.kit.storage.database import DATABASE_ERRORS, DatabaseUrlError
from app.portals.outbound.access import ACCESS_FAILURES
from app.portals.settings.quotas import QuotaReached
from app.schema import SchemaOutdatedError
from app.settings import Settings, SettingsError
from app.web.http.assets import FrontEndMissingError

EXPECTED_ERRORS = (
    SettingsError,
    DatabaseUrlError,
    SchemaOutdatedError,
    CannotDecryptError,
    *ACCESS_FAILURES,
    PortalRestsError,
    StatisticsRefusedError,
    QuotaReached,
    portals.NoSuchPortalError,
    FrontEndMissingError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 1 after one clear line on stderr."""
    options = build_parser().parse_args(arguments)
    keep_files_private()
    try:
        if options.command == "keys" and options.action == "generate":
            print(keys.generate())
            return 0
        settings = Settings.from_environment(os.environ)
        configure_logging(
            settings.log_format, settings.log_level, to_stderr=options.command in {"portals", "keys"}
        )
        return _run(options, settings)
    except EXPECTED_ERRORS as error:
        print(f"callbook: {error}", file=sys.stderr)
    except DATABASE_ERRORS as error:
        print(f"callbook: the database cannot be used: {type(error).__name__}: {error}", file=sys.stderr)
    return 1


def _run(options: argparse.Namespace, settings: Settings) -> int:
    match options.command:
        case "serve":
            processes.serve(settings)
        case "web":
            processes.web(settings)
        case "scheduler":
            asyncio.run(processes.schedule(settings))
        case "migrate":
            asyncio.run(processes.migrate(settings))
        case "keys":
            return asyncio.run(keys.rotate(settings))
        case _:
            asyncio.run(portals.run(settings, options))
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Callbook: every call of a Bitrix24 portal"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("serve", "migrate, then web and scheduler in one process"),
        ("web", "answer requests; several may run on PostgreSQL"),
        ("scheduler", "run the jobs; a second one is harmless"),
        ("migrate", "bring the database schema up to date"),
    ):
        commands.add_parser(name, help=text)
    _add_portals(commands.add_parser("portals", help="list, inspect, read and erase portals"))
    actions = commands.add_parser("keys", help="encryption keys").add_subparsers(dest="action", required=True)
    actions.add_parser("generate", help="print a new key for ENCRYPTION_KEYS")
    actions.add_parser(
        "rotate", help="seal every secret with the first key; may be interrupted and run again"
    )
    return parser


def _add_portals(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for name, text in (
        ("list", "all portals"),
        ("show", "one portal"),
        ("sync", "read the missing calls from the statistics"),
        ("events", "verified events that could not be decoded"),
        ("forget", "erase a portal and all its data now"),
        ("gone", "portals that refuse us as uninstalled, without an uninstall event"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--json", action="store_true", help="for scripts")
        if name not in {"list", "gone"}:
            action.add_argument("member_id")
        if name == "list":
            action.add_argument("--attention", action="store_true", help="only portals that need the vendor")
        if name == "gone":
            answers = action.add_mutually_exclusive_group()
            answers.add_argument(
                "--accept", action="store_true", help="they are gone: erase each after its next refusal"
            )
            answers.add_argument(
                "--keep", action="store_true", help="they are not gone: try their tokens again"
            )
        if name == "events":
            action.add_argument(
                "--replay", action="store_true", help="decode these events again and store their calls"
            )


if __name__ == "__main__":
    sys.exit(main())
