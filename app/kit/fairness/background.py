"""Tasks that outlive the request that began them; a shutdown lets them finish."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from app.kit.fairness.lanes import use_new_background

log = structlog.get_logger(__name__)
Result = TypeVar("Result")


class Background:
    """The running tasks. The failure of one is logged, never lost."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, name: str, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Start the work now, in a background lane of the database; the caller need not await the task."""
        with use_new_background():
            task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finish)
        return task

    async def drain(self, timeout_s: float) -> None:
        """Wait at most this long for all tasks to end, then cancel the tasks that still run."""
        async with asyncio.timeout(timeout_s + 5):
            while self._tasks:
                _, late = await asyncio.wait(set(self._tasks), timeout=timeout_s)
                for task in late:
                    log.warning("background task cancelled at shutdown", task=task.get_name())
                    task.cancel()

    def _finish(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task failed", task=task.get_name(), exc_info=error)
