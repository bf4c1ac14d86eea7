"""A lease is renewed by its holder, and taken from a dead holder in bounded time, however the clocks are
set.
"""

import asyncio

import pytest

from app.portals import leases
from app.portals.fact_queries import read_lease, take_lease
from app.portals.leases import Leases
from tests.running import Callbook, FakeClock

NAME, LEASE_S, SILENT_S = "acting", 60, 120
DAY_S = 24 * 3600


class Process:
    """One of several processes that want the lease, with its own view of it."""

    def __init__(self, name: str, wall: FakeClock, monotonic: FakeClock) -> None:
        self.name = name
        self.leases = Leases(wall, monotonic.now)

    async def take(self) -> bool:
        return await self.leases.take(NAME, self.name, LEASE_S)

    async def tells_silence(self) -> bool:
        return await self.leases.is_abandoned(NAME, SILENT_S)


@pytest.fixture
def monotonic() -> FakeClock:
    return FakeClock(1_000)


def pass_by(seconds: int, *clocks: FakeClock) -> None:
    for clock in clocks:
        clock.advance(seconds)


@pytest.mark.parametrize("step_s", [-20 * 60, -DAY_S, 20 * 60])
async def test_after_a_step_the_holder_goes_on_and_nobody_else_acts(
    callbook: Callbook, clock: FakeClock, monotonic: FakeClock, step_s: int
) -> None:
    holder, other = (Process(name, clock, monotonic) for name in ("holder", "other"))
    assert await holder.take()
    assert not await other.take()
    clock.advance(step_s)
    for _ in range(2 * DAY_S // 3600):
        assert await holder.take()
        pass_by(15, clock, monotonic)
        assert not await other.take()


@pytest.mark.parametrize("step_s", [-20 * 60, -DAY_S, 0])
async def test_a_dead_holder_is_followed_after_a_minute_that_cannot_step(
    callbook: Callbook, clock: FakeClock, monotonic: FakeClock, step_s: int
) -> None:
    holder, other, third = (Process(name, clock, monotonic) for name in ("holder", "other", "third"))
    clock.advance(10)
    assert await holder.take()
    clock.advance(step_s)
    for waiting in (other, third):
        assert not await waiting.take()
    pass_by(LEASE_S - 1, clock, monotonic)
    for waiting in (other, third):
        assert not await waiting.take()
    pass_by(1, clock, monotonic)
    assert [await waiting.take() for waiting in (other, third)] == [True, False]
    assert not await holder.take()


async def test_a_process_that_slept_for_long_takes_nothing_from_a_holder_that_lives(
    callbook: Callbook, clock: FakeClock, monotonic: FakeClock
) -> None:
    holder, sleeper = (Process(name, clock, monotonic) for name in ("holder", "sleeper"))
    assert await holder.take()
    clock.advance(-DAY_S)
    assert not await sleeper.take()
    pass_by(10 * LEASE_S, clock, monotonic)
    assert await holder.take()
    assert not await sleeper.take()


@pytest.mark.parametrize("ahead_s", [-600, 600])
async def test_machines_whose_clocks_differ_follow_each_other_too(
    callbook: Callbook, clock: FakeClock, monotonic: FakeClock, ahead_s: int
) -> None:
    one, other = (
        Process("one", FakeClock(clock.now() + ahead_s), monotonic),
        Process("other", clock, monotonic),
    )
    assert await take_lease(NAME, "dead", clock.now() + DAY_S, LEASE_S)
    assert [await one.take(), await other.take()] == [False, False]
    pass_by(LEASE_S, clock, monotonic)
    assert await one.take()


@pytest.mark.parametrize("step_s", [-20 * 60, -DAY_S, 0])
async def test_silence_is_told_with_any_end_that_the_lease_names(
    callbook: Callbook, clock: FakeClock, monotonic: FakeClock, step_s: int
) -> None:
    holder, web = (Process(name, clock, monotonic) for name in ("holder", "web"))
    assert await web.tells_silence()
    assert await holder.take()
    clock.advance(step_s)
    assert not await web.tells_silence()
    pass_by(SILENT_S - 1, clock, monotonic)
    assert not await web.tells_silence()
    pass_by(1, clock, monotonic)
    assert await web.tells_silence()
    assert await holder.take()
    assert not await web.tells_silence()


async def test_a_holder_that_gave_the_lease_back_does_not_take_it_again(
    callbook: Callbook, clock: FakeClock, monotonic: FakeClock
) -> None:
    """For example by a job that began just before the shutdown."""
    holder, heir = (Process(name, clock, monotonic) for name in ("holder", "heir"))
    assert await holder.take()
    await holder.leases.give_back(NAME, holder.name)
    assert not await holder.take()
    assert await heir.take()


async def test_a_holder_that_gives_the_lease_back_while_taking_it_does_not_keep_it(
    callbook: Callbook, clock: FakeClock, monotonic: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, heir = (Process(name, clock, monotonic) for name in ("holder", "heir"))
    begun, is_given_back = asyncio.Event(), asyncio.Event()

    async def take_late(*args: object) -> bool:
        begun.set()
        await is_given_back.wait()
        return await take_lease(*args)  # type: ignore[arg-type]  # As it was called.

    with monkeypatch.context() as late:
        late.setattr(leases, "take_lease", take_late)
        job = asyncio.create_task(holder.take())
        await begun.wait()
        await holder.leases.give_back(NAME, holder.name)
        is_given_back.set()
        assert not await job
    found = await read_lease(NAME)
    assert found is not None
    assert found.expires_at == 0
    assert await heir.take()
