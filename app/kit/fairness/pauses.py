"""Long work in the loop of all: after some of it, others have their turn."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")
ITEMS_AT_ONCE = 200  # Some milliseconds of work, where each item costs some ten microseconds.


async def let_others_run(items: Iterable[Item], items_at_once: int = ITEMS_AT_ONCE) -> AsyncIterator[Item]:
    """The same items in their order, with a pause for the loop after so many."""
    for number, item in enumerate(items, 1):
        yield item
        if number % items_at_once == 0:
            await asyncio.sleep(0)
