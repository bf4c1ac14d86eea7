"""Heartbeats: a process that died is found however the clocks are set, and no living process counts as
dead.
"""

import pytest

from app.calls.statistics.progress import evidence
from app.calls.statistics.progress.evidence import DEAD_AFTER_BEATS, DEAD_AFTER_S, PERIOD_S, Evidence
from app.demo.stand_in import StandIn
from tests.calls.statistics_rows import install
from tests.portals.portal_rows import count
from tests.running import Callbook, FakeClock

HEARTBEATS = "facts WHERE name LIKE 'events_taken:%'"
MANY_BEATS = 4 * DEAD_AFTER_BEATS


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application that serves the test writes its own heartbeat only at its start."""
    monkeypatch.setattr(evidence, "PERIOD_S", 1_000_000)


class Machine:
    """A process with clocks of its own."""

    def __init__(self, callbook: Callbook, ahead_s: int = 0) -> None:
        self.wall, self.elapsed = FakeClock(callbook.parts.clock.now() + ahead_s), FakeClock(1_000)
        self.evidence = Evidence(callbook.parts.database, self.wall, self.elapsed.now)

    async def beat(self) -> None:
        for clock in (self.wall, self.elapsed):
            clock.advance(PERIOD_S)
        await self.evidence.beat()


@pytest.fixture
async def read(callbook: Callbook, stand_in: StandIn) -> Callbook:
    """A portal whose statistics need no read, without heartbeats other than the test's."""
    await install(callbook, stand_in.portals[0])
    await callbook.parts.evidence.flush()
    await callbook.run_sql(f"DELETE FROM {HEARTBEATS}")
    await callbook.run_sql("UPDATE statistics_marks SET evidence_at = 1")
    return callbook


async def is_wanted(callbook: Callbook) -> bool:
    """Whether a read of all portals was wanted since the last call."""
    rows = await callbook.run_sql("SELECT evidence_at FROM statistics_marks")
    await callbook.run_sql("UPDATE statistics_marks SET evidence_at = 1")
    return any(row["evidence_at"] > 1 for row in rows)


@pytest.mark.parametrize("ahead_s", [-86_400, -DEAD_AFTER_S - 1, 0, 600])
async def test_machines_whose_clocks_differ_do_not_bury_each_other(read: Callbook, ahead_s: int) -> None:
    machines = [Machine(read), Machine(read, ahead_s)]
    for _ in range(MANY_BEATS):
        for machine in machines:
            await machine.beat()
        assert await count(read, HEARTBEATS) == len(machines)
        assert not await is_wanted(read)


@pytest.mark.parametrize("step_s", [-86_400, -DEAD_AFTER_S - 1, DEAD_AFTER_S + 1, 86_400])
async def test_a_machine_whose_clock_is_set_buries_neither_itself_nor_another(
    read: Callbook, step_s: int
) -> None:
    machines = [Machine(read), Machine(read)]
    for _ in range(MANY_BEATS):
        for machine in machines:
            await machine.beat()
        machines[0].wall.advance(step_s)
        assert not await is_wanted(read)


@pytest.mark.parametrize("ahead_s", [-86_400, 0, 600])
async def test_a_killed_process_is_found_once_by_any_clock(read: Callbook, ahead_s: int) -> None:
    living, killed = Machine(read), Machine(read, ahead_s)
    for machine in (killed, living):
        await machine.beat()
    wanted = []
    for _ in range(MANY_BEATS):
        await living.beat()
        wanted.append(await is_wanted(read))
    assert wanted == [number == DEAD_AFTER_BEATS for number in range(1, MANY_BEATS + 1)]
    assert await count(read, HEARTBEATS) == 1


async def test_a_suspended_process_took_no_events(read: Callbook) -> None:
    machine = Machine(read)
    await machine.beat()
    machine.elapsed.advance(DEAD_AFTER_S - PERIOD_S)
    await machine.beat()
    assert not await is_wanted(read)
    machine.elapsed.advance(DEAD_AFTER_S)
    await machine.beat()
    assert await is_wanted(read)
    await machine.beat()
    assert not await is_wanted(read)


async def test_a_process_that_starts_long_after_another_was_killed_has_all_read_at_once(
    read: Callbook,
) -> None:
    await Machine(read, -DEAD_AFTER_S - 1 - PERIOD_S).beat()
    async with Machine(read).evidence.watch():
        assert await is_wanted(read)
