"""Statistics of a portal for the tests of the history, and the rows stored from them."""

from collections.abc import Iterable
from typing import Any

from app.calls.statistics.progress.mark_queries import find_mark
from app.calls.statistics.progress.marks import Mark
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.statistics import StatisticsRow
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.model import Portal
from tests.running import Callbook

STARTED_AT = 1_790_000_000


def make_row(number: int, **changes: Any) -> StatisticsRow:
    fields: dict[str, Any] = {
        "id": number,
        "call_id": f"call.{number}",
        "call_type": 2,
        "phone_number": f"+1202555{number % 10_000:04}",
        "portal_number": "reg133788",
        "user_id": 12,
        "started_at": STARTED_AT + number,
        "duration_s": 35,
    }
    return StatisticsRow(**(fields | changes))


def fill(portal: StandInPortal, ids: Iterable[int]) -> None:
    portal.state.statistics.extend(make_row(number) for number in ids)


async def install(callbook: Callbook, portal: StandInPortal) -> Portal:
    """Install the portal and read as much of the history as fits into the first slice."""
    portal.add_app()
    assert (await portal.install(callbook.url)).status_code == 200
    await callbook.settle()
    return await read_portal(portal)


async def read_portal(portal: StandInPortal) -> Portal:
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    return found


async def read_mark(portal: StandInPortal) -> Mark:
    found = await read_portal(portal)
    mark = await find_mark(found.id, found.generation)
    assert mark is not None
    return mark


def count_requests(stand_in: StandIn) -> int:
    return len(stand_in.requests_with("voximplant.statistic.get"))


async def list_stored(callbook: Callbook) -> tuple[list[str], list[int]]:
    """The call ids, and the statistics ids of their legs, both in order."""
    calls = await callbook.run_sql("SELECT call_id FROM calls")
    legs = await callbook.run_sql("SELECT statistics_id FROM call_legs")
    return sorted(row["call_id"] for row in calls), sorted(row["statistics_id"] for row in legs)
