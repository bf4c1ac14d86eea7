"""A week of a hundred portals: its cost in token refreshes."""

from app.demo.stand_in import StandIn
from tests.bench.figures import Figure
from tests.conftest import GENEROUS
from tests.databases import SqliteDatabases
from tests.month.week import Week
from tests.running import CLIENT_ID, CLIENT_SECRET, FakeClock, run_callbook

PORTALS, VISITED, DAYS = 100, 5, 7
MOST_A_DAY = 4


async def count_refreshes(databases: SqliteDatabases) -> list[Figure]:
    """Refreshes of the busiest portal on its worst day, by the stand-in's own counter."""
    clock, url = FakeClock(), databases.create()
    async with (
        StandIn.serve(
            portals=PORTALS, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=clock
        ) as stand_in,
        run_callbook(url, stand_in, clock, GENEROUS, rate_clock=clock) as callbook,
    ):
        week = Week(callbook, stand_in, clock, VISITED)
        await week.install()
        days = [await week.live_a_day() for _ in range(DAYS)]
        if week.failures:
            raise SystemExit(week.failures[0])
        refused = sum(portal.bucket.refusals for portal in stand_in.portals)
    databases.drop(url)
    return [
        Figure("most refreshes of a portal on a day", max(max(day) for day in days), MOST_A_DAY),
        Figure("refreshes where an administrator looks in", sum(sum(day[:VISITED]) for day in days), 0),
        Figure("mean refreshes of a portal on a day", sum(map(sum, days)) / DAYS / PORTALS, MOST_A_DAY),
        Figure("QUERY_LIMIT_EXCEEDED", refused, 0),
    ]
