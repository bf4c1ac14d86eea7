"""Pauses in long work, so that the loop can run other tasks."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")
ITEMS_AT_ONCE = 200  # A few milliseconds of work: an item costs about ten microseconds.


async def let_others_run(items: Iterable[Item], items_at_once: int = ITEMS_AT_ONCE) -> AsyncIterator[Item]:
    """The same items in their order; after each `items_at_once` of them, the loop runs other tasks."""
    for number, item in enumerate(items, 1):
        yield item
        if number % items_at_once == 0:
            await asyncio.sleep(0)
