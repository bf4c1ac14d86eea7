"""A coroutine function that a test holds back."""

import asyncio
from typing import Any


class Gate:
    """Holds a coroutine function back, and tells when the code has reached it."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self, *args: Any, **options: Any) -> Any:
        self.reached.set()
        await self.opened.wait()
        return await self._work(*args, **options)
