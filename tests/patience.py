"""How long a test waits for a process, a browser or a server, and how it polls a source that sends no
signal.
"""

import asyncio
import inspect
from collections.abc import Callable

PATIENCE_S = 60  # Long past any honest answer on a busy machine: a wait that lasts so long lasts for ever.
LOOK_EVERY_S = 0.01


async def wait_until(look: Callable[[], object]) -> None:
    """Look again and again, with pauses, until the answer is true; it may be awaitable.

    Raises TimeoutError when it never becomes true. For conditions that no event announces; a test that can
    await an event awaits it.
    """
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = look()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(LOOK_EVERY_S)
