"""Turns at a shared resource: portal by portal, within a portal user by user, and never more than allowed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.fairness.fair_queue import FairQueue
from app.kit.fairness.places import Bounds

ONE = Bounds(overall=1, per_portal=1, per_user=1)


class Line:
    """Tasks that each take a turn and note its order; `release` lets one go on."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.had: list[tuple[int, int]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._go = asyncio.Semaphore(0)

    def add(self, portal_id: int, user_id: int, times: int = 1) -> None:
        for _ in range(times):
            self.tasks.append(asyncio.create_task(self._take(portal_id, user_id)))

    async def _take(self, portal_id: int, user_id: int) -> None:
        async with self.queue.take(portal_id, user_id):
            self.had.append((portal_id, user_id))
            await self._go.acquire()

    async def run(self) -> list[tuple[int, int]]:
        await settle()
        for _ in self.tasks:
            self._go.release()
            await settle()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return self.had


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line(FairQueue(ONE))
    yield made
    assert made.queue.places.count == 0


async def test_portals_and_their_users_take_turns_however_much_one_wants(line: Line) -> None:
    line.add(1, 1, times=4)
    line.add(1, 2)
    line.add(2, 1, times=2)
    line.add(3, 1)
    assert await line.run() == [(1, 1), (1, 1), (2, 1), (3, 1), (1, 2), (2, 1), (1, 1), (1, 1)]


@pytest.mark.parametrize("at", ["waiting", "given", "leaving"])
async def test_a_task_that_leaves_the_line_takes_no_turn_along(line: Line, at: str) -> None:
    line.add(1, 1)
    line.add(2, 1)
    line.add(3, 1)
    await settle()
    if at == "given":
        line.tasks[0].cancel()
        await asyncio.sleep(0)  # The second one has its place now, but does not know it yet.
        assert line.queue.places.find_full(2, 1) == "user"
    line.tasks[1].cancel()
    if at == "leaving":  # The place becomes free before the second one has left.
        line.tasks[0].cancel()
    assert await line.run() == [(1, 1), (3, 1)]


async def test_a_task_that_waits_too_long_is_told_so(line: Line) -> None:
    line.add(1, 1)
    await settle()
    with pytest.raises(TimeoutError):
        async with line.queue.take(2, 1, wait_s=0):
            pass
    assert await line.run() == [(1, 1)]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), max_size=40))
def test_all_get_a_turn_and_a_free_place_has_nobody_waiting_for_it(asked: list[tuple[int, int]]) -> None:
    bounds = Bounds(overall=4, per_portal=2, per_user=1)

    async def run() -> None:
        queue, inside, served = FairQueue(bounds), Counter[tuple[int, int]](), Counter[tuple[int, int]]()

        async def take(portal_id: int, user_id: int) -> None:
            async with queue.take(portal_id, user_id):
                inside[portal_id, user_id] += 1
                assert inside[portal_id, user_id] <= bounds.per_user
                assert sum(inside.values()) <= queue.places.count <= bounds.overall
                for _ in range(user_id):
                    await asyncio.sleep(0)
                inside[portal_id, user_id] -= 1
                served[portal_id, user_id] += 1

        await asyncio.gather(*(take(*one) for one in asked))
        assert served == Counter(asked)
        assert queue.places.count == 0
        async with AsyncExitStack() as stack:
            for user_id in range(bounds.per_portal):
                await stack.enter_async_context(queue.take(9, user_id, wait_s=0))

    asyncio.run(run())
