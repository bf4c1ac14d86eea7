"""Exports of 100,000 calls, each in a process of its own: rows a second, memory over idle, longest stall of
the loop; and the lookup of one CRM card's calls, which has no index of its own.
"""

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from zoneinfo import ZoneInfo

import msgspec
import psutil

from app.calls.log.export_batches import read_all
from app.calls.log.logged_calls import Viewer, list_card_calls
from app.calls.log.selection.filters import Filters, ListRequest
from app.kit.messages.words import load_words
from app.kit.storage.database import Database
from app.portals.settings.visible_users import EVERYONE
from app.tables import TABLES
from app.web.exports.csv_file import write_csv
from app.web.exports.file_columns import Addressee, Known, Sheet, make_columns
from app.web.exports.pieces import Piece
from app.web.exports.xlsx_file import write_xlsx
from tests.bench.figures import print_table, show_limit
from tests.calls.stored_calls import insert_portal
from tests.databases import PostgresDatabases, SqliteDatabases
from tests.processes import ROOT
from tests.web.logged_calls import NOW, insert_calls

CALLS = 100_000
MOST_MIB = 64
WRITERS = {"csv": write_csv, "xlsx": write_xlsx}


class Figures(msgspec.Struct, frozen=True):
    """The cost of one export."""

    rows_per_s: float
    mib: float
    stall_ms: float
    card_ms: float


def run_exports(sqlite: SqliteDatabases, postgres: PostgresDatabases) -> bool:
    """Print the table; return whether the memory stayed within its limit in all exports."""
    rows, is_small = [], True
    for name, databases in (("SQLite", sqlite), ("PostgreSQL", postgres)):
        url = databases.create()
        asyncio.run(_fill(url))
        for kind in WRITERS:
            figures = _measure(url, kind)
            is_met = figures.mib <= MOST_MIB
            is_small = is_small and is_met
            limit = show_limit(f"at most {MOST_MIB} MiB", is_met=is_met)
            cells = (f"{figures.rows_per_s:,.0f}", f"{figures.mib:.1f}", limit)
            rows.append((f"{kind}, {name}", *cells, f"{figures.stall_ms:.0f}", f"{figures.card_ms:.1f}"))
    heads = (f"export of {CALLS:,} calls", "rows/s", "MiB over idle", "limit")
    print_table((*heads, "longest stall, ms", "calls of one card, ms"), rows)
    return is_small


def _measure(url: str, kind: str) -> Figures:
    command = [sys.executable, "-m", "tests.bench.exports", url, kind]
    finished = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=300)
    return msgspec.json.decode(finished.stdout, type=Figures)


async def _fill(url: str) -> None:
    database = Database(url, TABLES)
    await database.open()
    portal_id = await insert_portal()
    for begin in range(0, CALLS, 5_000):
        calls = [
            {
                "call_id": f"externalCall.{number:032x}.{NOW}",
                "phone_number": f"+1202555{number % 10_000:04}",
                "user_id": number % 40 + 1,
                "started_at": NOW - number * 60,
                "crm_activity_id": number if number % 2 else None,
                "cost_e4": number % 9_000,
                "currency": "EUR",
            }
            for number in range(begin, begin + 5_000)
        ]
        await insert_calls(portal_id, *calls)
    await database.run("ANALYZE")
    await database.close()


async def _export(url: str, kind: str) -> Figures:
    database = Database(url, TABLES)
    await database.open()
    viewer = Viewer(1, 1, EVERYONE)
    # Parts that a process reads once: catalogues, formats, connections.
    await _count(_pieces(viewer, kind, limit=2_000))
    process, stalls, peaks = psutil.Process(), [0.0], [0]
    idle = process.memory_info().rss
    watch = asyncio.create_task(_watch(process, stalls, peaks))
    begin = time.perf_counter()
    rows = await _count(_pieces(viewer, kind))
    seconds = time.perf_counter() - begin
    watch.cancel()
    card_ms = await _time(list_card_calls(viewer, ("DEAL", 7), range(0, 99_000, 200), 200)) * 1000
    await database.close()
    return Figures(rows / seconds, (max(peaks) - idle) / 2**20, max(stalls) * 1000, card_ms)


async def _pieces(viewer: Viewer, kind: str, limit: int = CALLS) -> AsyncIterator[Piece]:
    async def admit() -> Viewer:
        return viewer

    names = {number: f"Employee {number}" for number in range(41)}
    addressee = Addressee(load_words("en"), ZoneInfo("Europe/Berlin"), Known(names, {}, {}))
    sheet = Sheet(make_columns(addressee), "en")
    async for piece in WRITERS[kind](read_all(admit, ListRequest(Filters())), sheet):
        yield piece
        if piece.rows >= limit < CALLS:
            return


async def _count(pieces: AsyncIterator[Piece]) -> int:
    rows = 0
    async for piece in pieces:
        rows = piece.rows
    return rows


async def _watch(process: psutil.Process, stalls: list[float], peaks: list[int]) -> None:
    before = time.perf_counter()
    for turn in itertools.count():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        stalls.append(now - before - 0.001)
        before = now
        if turn % 20 == 0:
            peaks.append(process.memory_info().rss)


async def _time(work: Awaitable[object]) -> float:
    begin = time.perf_counter()
    await work
    return time.perf_counter() - begin


if __name__ == "__main__":
    print(msgspec.json.encode(asyncio.run(_export(sys.argv[1], sys.argv[2]))).decode())
