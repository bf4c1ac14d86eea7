"""The number of requests for a history, and the load on a slow portal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.scheduler import read_histories
from tests.bench.figures import Figure
from tests.calls.statistics_rows import fill, install, read_mark, read_portal
from tests.conftest import GENEROUS
from tests.databases import SqliteDatabases
from tests.running import CLIENT_ID, CLIENT_SECRET, Callbook, FakeClock, run_callbook

METHOD = "voximplant.statistic.get"
ROWS = (1, 50, 2_500, 25_000, 100_000)
SLOW_ROWS = 25_000
PAGE_S, SLOW_PAGE_S = 0.02, 2.0
LONGEST_S = 60
AUDITED_ROWS, DAYS, DAY_S = 6_000, 4, 86_400
MOST_AUDIT_REQUESTS = 2


async def count_requests(databases: SqliteDatabases) -> list[Figure]:
    """The number of requests for N rows, at 20 ms a page."""
    figures = []
    for rows in ROWS:
        async with _installing(databases, rows, PAGE_S) as (callbook, stand_in, clock):
            await _read_whole(callbook, stand_in.portals[0], clock)
            asked = len(stand_in.requests_with(METHOD))
            limit = 1.1 * ceil(rows / 2_500) + 3
            figures.append(Figure(f"requests for {rows:,} rows", asked, limit))
    return figures


async def count_audits(databases: SqliteDatabases) -> list[Figure]:
    """The requests of the daily comparison, without those of the read before it, if nothing differs."""
    async with _installing(databases, AUDITED_ROWS, PAGE_S) as (callbook, stand_in, clock):
        portal = stand_in.portals[0]
        await _read_whole(callbook, portal, clock)
        installed = await read_portal(portal)
        asked: dict[bool, list[int]] = {True: [], False: []}
        for is_full in (True, False) * DAYS:
            clock.advance(DAY_S // 2)
            before = len(stand_in.requests_with(METHOD))
            await callbook.parts.histories.catch_up(installed, is_full=is_full)
            asked[is_full].append(len(stand_in.requests_with(METHOD)) - before)
        return [
            Figure("requests of an audit a day", max(asked[True]) - min(asked[False]), MOST_AUDIT_REQUESTS)
        ]


async def strain_a_slow_portal(databases: SqliteDatabases) -> list[Figure]:
    """The load on a portal that takes two seconds a page."""
    async with _installing(databases, SLOW_ROWS, SLOW_PAGE_S) as (callbook, stand_in, clock):
        portal = stand_in.portals[0]
        await _read_whole(callbook, portal, clock)
        return [
            Figure("longest request, s", portal.longest_request_s, LONGEST_S),
            Figure("OPERATION_TIME_LIMIT", portal.operating.refusals, 0),
            Figure("QUERY_LIMIT_EXCEEDED", portal.bucket.refusals, 0),
        ]


Installing = tuple[Callbook, StandIn, FakeClock]


@asynccontextmanager
async def _installing(databases: SqliteDatabases, rows: int, page_s: float) -> AsyncIterator[Installing]:
    clock, url = FakeClock(), databases.create()
    async with (
        StandIn.serve(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=clock) as stand_in,
        run_callbook(url, stand_in, clock, GENEROUS) as callbook,
    ):
        portal = stand_in.portals[0]
        portal.execution_s = page_s
        fill(portal, range(1, rows + 1))
        yield callbook, stand_in, clock
    databases.drop(url)


async def _read_whole(callbook: Callbook, portal: StandInPortal, clock: FakeClock) -> None:
    await install(callbook, portal)
    while (mark := await read_mark(portal)).history_state != "complete":
        clock.at = max(clock.at + 1, mark.next_at)
        await read_histories(callbook.parts)
        await callbook.settle()
    (stored,) = await callbook.run_sql("SELECT COUNT(*) AS n FROM calls")
    if stored["n"] != len(portal.state.statistics):
        raise SystemExit(f"{stored['n']} calls are stored of {len(portal.state.statistics)}")
