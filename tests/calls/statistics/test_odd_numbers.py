"""A portal's history is read with any numbers that the portal tells, and no lease stays."""

import math
from typing import Any

import pytest

from app.calls.statistics import read_turns
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.scheduler import read_histories
from tests.calls.statistics_rows import fill, install, make_row, read_mark, read_portal
from tests.running import Callbook, FakeClock

ODD: tuple[Any, ...] = (
    "nan",
    "inf",
    "-1e400",
    "1e-320",
    1e-320,
    10**18,
    10**30,
    -(10**18),
    True,
    None,
    [],
    {},
    "",
    "x" * 50,
)


def say(stand_in: StandIn, value: Any, *fields: str) -> None:
    """Put these numbers into every time block, the whole request's and each command's."""

    def change(body: Any) -> Any:
        blocks = [body["time"]]
        if isinstance(body["result"], dict) and isinstance(body["result"].get("result_time"), dict):
            blocks += body["result"]["result_time"].values()
        for block in blocks:
            block.update(dict.fromkeys(fields, value))
        return body

    stand_in.lie("rest", change)


@pytest.mark.parametrize("field", ["duration", "operating", "operating_reset_at", "date_start"])
async def test_a_history_is_read_with_any_times_that_the_portal_tells(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, field: str
) -> None:
    installed = await install(callbook, portal)
    fill(portal, range(1, 120))
    for value in ODD:
        stand_in.heal()
        await callbook.run_sql("DELETE FROM statistics_marks")
        say(stand_in, value, field)
        await callbook.parts.histories.run_slice(installed)
        mark = await read_mark(portal)
        assert (mark.history_state, mark.claimed_until, mark.failures) == ("complete", 0, 0), value


TOP = 2**62 - 1


@pytest.mark.parametrize("ids", [(1, *range(TOP - 60, TOP)), (1, TOP // 2, TOP), (*range(1, 60), TOP)])
async def test_ids_as_far_apart_as_64_bits_allow_are_read(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock, ids: tuple[int, ...]
) -> None:
    installed = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    portal.state.statistics.extend(make_row(number, started_at=clock.now()) for number in ids)
    for _ in range(3):
        await callbook.parts.histories.run_slice(installed)
        mark = await read_mark(portal)
        assert (mark.claimed_until, mark.failures) == (0, 0)
        clock.advance(1)
    mark = await read_mark(portal)
    assert (mark.history_state, mark.rows_done) == ("complete", len(ids))


async def test_a_licence_for_longer_than_there_are_dates_counts_no_days(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    said: list[Any] = [10**18, "9" * 18, -(10**18), math.inf, "nan", [], True, 36_501]

    def change(result: Any) -> Any:
        return result | {"DAYS": said[-1]}

    stand_in.lie("portal.app.info", change)
    while said:
        await install(callbook, portal)
        assert (await read_portal(portal)).license_ends_at is None
        await callbook.parts.setup.repeat(await read_portal(portal))
        found = await read_portal(portal)
        assert (found.license_ends_at, found.checked_at) == (None, clock.now())
        said.pop()


@pytest.mark.parametrize("is_history", [True, False])
async def test_an_error_that_nobody_expects_gives_the_lease_back_and_is_waited_out(
    callbook: Callbook,
    portal: StandInPortal,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_history: bool,
) -> None:
    installed = await install(callbook, portal)

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        if is_history:
            await callbook.run_sql("DELETE FROM statistics_marks")
            patch.setattr(read_turns, "Slice", _Failing)
        else:
            patch.setattr(read_turns, "read_forward", fail)
            await callbook.run_sql("UPDATE statistics_marks SET next_read_at = 0")
        with pytest.raises(ZeroDivisionError):
            await (
                callbook.parts.histories.run_slice(installed)
                if is_history
                else callbook.parts.reconciliation.read(installed)
            )
    mark = await read_mark(portal)
    assert (mark.claimed_until, mark.failures, mark.failure_code) == (0, 1, "internal_error")
    assert mark.next_at > clock.now()
    clock.at = mark.next_at
    portal.state.statistics.append(make_row(1))
    await read_histories(callbook.parts)
    await callbook.settle()
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    if not is_history:
        assert await callbook.parts.reconciliation.read(found)
    mark = await read_mark(portal)
    assert (mark.history_state, mark.claimed_until, mark.failures) == ("complete", 0, 0)


class _Failing:
    """A slice that fails."""

    def __init__(self, *parts: Any) -> None:
        self.last = self.mark = parts[2]

    async def read(self, _: object) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("statistics_id", ["x", "1e5", "-1", 10**30, [1]])
async def test_a_call_that_is_looked_at_is_not_read_by_an_id_that_is_none(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, statistics_id: Any
) -> None:
    installed = await install(callbook, portal)
    call = await portal.end_call()
    stand_in.lie("voximplant.statistic.get", lambda rows: [row | {"ID": statistics_id} for row in rows])
    assert not await callbook.parts.reconciliation.read_call(installed, call.call_id)
    assert portal.counts["voximplant.statistic.get"] > 0
