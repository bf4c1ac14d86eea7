"""Work by key: callers that ask while it runs share its result."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from app.kit.fairness.background import Background

Result = TypeVar("Result")


class SharedTasks(Generic[Result]):
    """The running work of one kind, at most one task for each key. `name` is the name of these background
    tasks.
    """

    def __init__(self, background: Background, name: str) -> None:
        self._background = background
        self._name = name
        self._running: dict[Hashable, asyncio.Task[Result]] = {}

    async def run(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """The result of the work that already runs for the key; if none runs, `work` is begun now. Raises the
        errors of that work.

        The work runs to its end even if every caller is cancelled.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = self._background.spawn(self._name, work())
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(task)
