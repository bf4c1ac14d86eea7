"""Work that callers share: one task a key, whose result all of them get."""

import asyncio

import pytest

from app.kit.fairness.background import Background
from app.kit.fairness.shared_tasks import SharedTasks


class Work:
    """Work that waits until it may end, and counts how often it began."""

    def __init__(self) -> None:
        self.began = 0
        self.go = asyncio.Event()

    async def do(self) -> int:
        self.began += 1
        number = self.began
        await self.go.wait()
        return number


async def begin(tasks: SharedTasks[int], work: Work, *keys: str) -> list[asyncio.Task[int]]:
    callers = [asyncio.create_task(tasks.run(key, work.do)) for key in keys]
    await asyncio.sleep(0)
    return callers


async def test_callers_of_a_key_share_a_task_and_the_next_one_begins_another() -> None:
    tasks, work = SharedTasks[int](Background(), "work"), Work()
    callers = await begin(tasks, work, "a", "a", "b")
    work.go.set()
    assert await asyncio.gather(*callers) == [1, 1, 2]
    assert await tasks.run("a", work.do) == 3


async def test_the_work_goes_on_without_its_first_caller() -> None:
    tasks, work = SharedTasks[int](Background(), "work"), Work()
    first, second = await begin(tasks, work, "a", "a")
    first.cancel()
    work.go.set()
    assert await second == 1
    assert work.began == 1
    with pytest.raises(asyncio.CancelledError):
        await first
