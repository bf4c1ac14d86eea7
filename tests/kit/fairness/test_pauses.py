"""Long work pauses, so that other work has its turn."""

import asyncio
from itertools import count

from app.kit.fairness.pauses import let_others_run


async def test_every_item_comes_and_others_run_in_between() -> None:
    turns = count()

    async def watch() -> None:
        for _ in turns:
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    assert [item async for item in let_others_run(range(1_000), 100)] == list(range(1_000))
    watching.cancel()
    assert next(turns) == 10
