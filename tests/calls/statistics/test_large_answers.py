"""A portal's answers are bounded, and its history is read all the same: in fewer pages, in smaller ranges,
and a row that is too large alone, by its id.
"""

from typing import Any

import pytest

from app.bitrix24.rest.answers import BATCH, CALL
from app.calls.oddities.undecodable_events import list_undecodable
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.statistics import StatisticsRow
from app.demo.stand_in import StandIn
from app.portals.model import Portal
from tests.calls.statistics_rows import fill, install, list_stored, make_row, read_mark
from tests.running import Callbook, FakeClock

METHOD = "voximplant.statistic.get"


@pytest.fixture
async def installed(callbook: Callbook, portal: StandInPortal) -> Portal:
    """An installed portal, with its history not begun."""
    found = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    return found


def enlarge(stand_in: StandIn, comment: str, ids: set[int] | None = None) -> None:
    """Give the rows with these ids, or all, a comment of this size."""

    def change(rows: Any) -> Any:
        return [row | {"COMMENT": comment} if ids is None or int(row["ID"]) in ids else row for row in rows]

    stand_in.lie(METHOD, change)


async def read_whole(callbook: Callbook, portal: StandInPortal, installed: Portal, clock: FakeClock) -> None:
    for _ in range(10):
        mark = await callbook.parts.histories.run_slice(installed)
        if mark is not None and mark.history_state == "complete":
            break
        clock.advance(1)
    mark = await read_mark(portal)
    assert (mark.history_state, mark.failures, mark.claimed_until) == ("complete", 0, 0)
    _, legs = await list_stored(callbook)
    assert legs == [row.id for row in portal.state.statistics]


async def test_a_batch_that_is_too_large_is_asked_for_in_halves(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, installed: Portal, clock: FakeClock
) -> None:
    fill(portal, range(1, 3_000))
    enlarge(stand_in, "x" * (BATCH.most_bytes // 1_000))
    before = portal.counts["batch"]
    await read_whole(callbook, portal, installed, clock)
    assert portal.counts["batch"] - before <= 12
    assert await list_undecodable(installed.id) == []


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ranges(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, installed: Portal, clock: FakeClock
) -> None:
    """The newest and the oldest page are too large as well, so that at first even the beginning is
    unknown.
    """
    fill(portal, range(1_000, 1_120))
    enlarge(stand_in, "x" * (CALL.most_bytes // 20))
    await read_whole(callbook, portal, installed, clock)
    assert await list_undecodable(installed.id) == []


@pytest.mark.parametrize("large", [{100}, {1}, {149}, {1, 2, 60, 148, 149}])
async def test_a_row_that_is_too_large_is_kept_by_its_id_and_all_others_whole(
    callbook: Callbook,
    stand_in: StandIn,
    portal: StandInPortal,
    installed: Portal,
    clock: FakeClock,
    large: set[int],
) -> None:
    fill(portal, range(1, 150))
    enlarge(stand_in, "x" * CALL.most_bytes, large)
    await read_whole(callbook, portal, installed, clock)
    kept = await list_undecodable(installed.id)
    assert sorted((int(str(one.data["ID"])), one.reason) for one in kept) == [
        (number, "answer_too_large") for number in sorted(large)
    ]
    calls, _ = await list_stored(callbook)
    assert {call for call in calls if call.startswith("statistics.")} == {
        f"statistics.{id_}" for id_ in large
    }


async def test_rows_of_many_elements_are_too_large_as_well(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, installed: Portal, clock: FakeClock
) -> None:
    fill(portal, range(1, 60))
    enlarge(stand_in, "," * CALL.most_elements, {30})
    await read_whole(callbook, portal, installed, clock)
    (kept,) = await list_undecodable(installed.id)
    assert kept.data == {"ID": "30"}


async def test_a_new_row_that_is_too_large_stops_no_read_forward(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    installed = await install(callbook, portal)
    rows: list[StatisticsRow] = [make_row(number, started_at=clock.now()) for number in range(1, 130)]
    portal.state.statistics.extend(rows)
    enlarge(stand_in, "x" * CALL.most_bytes, {70, 129})
    result = await callbook.parts.histories.catch_up(installed)
    assert result.complete_up_to == clock.now()
    _, legs = await list_stored(callbook)
    assert legs == list(range(1, 130))


async def test_a_portal_whose_every_answer_is_too_large_ends_its_turn_and_waits(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, installed: Portal, clock: FakeClock
) -> None:
    def tick(body: Any) -> Any:
        clock.advance(3)  # A test's clock stands still, so without this the turn would not end.
        return b'{"result": [' + b"[]," * BATCH.most_elements + b"1]}"

    stand_in.lie("rest", tick)
    await callbook.parts.histories.run_slice(installed)
    mark = await read_mark(portal)
    assert (mark.claimed_until, mark.history_state, mark.failure_code) == (0, "failed", "answer_too_large")
    assert mark.next_at > clock.now()
