"""Reads by key of which those that are asked for at the same time share one.

No answer is older than its question: a read begins after the last of those that share it has asked. So
nothing is remembered that could have changed, and any number of questions costs one read at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import Generic, TypeVar

MAX_KEYS = 500  # Of one read: no statement grows with the number of those who ask.
Value = TypeVar("Value")


class SharedReads(Generic[Value]):
    """The reads of one kind; `read` answers several keys at once and leaves out what there is not."""

    def __init__(self, read: Callable[[set[str]], Awaitable[Mapping[str, Value]]]) -> None:
        self._read = read
        self._waiting: list[tuple[str, asyncio.Future[Value | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, key: str) -> Value | None:
        """What is there now under the key, or None; raises what the read raises."""
        answer: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if self._task is None or self._task.done():  # In no transaction of whoever happens to ask first.
            self._task = asyncio.create_task(self._run(), name="shared reads", context=Context())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # Whoever has been received with the first shares its read.
            batch, self._waiting = self._waiting[:MAX_KEYS], self._waiting[MAX_KEYS:]
            try:
                found = await self._read({key for key, _ in batch})
            except Exception as error:  # noqa: BLE001  Whatever it is, those who asked get it.
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
            except BaseException:
                for _, answer in [*batch, *self._waiting]:
                    answer.cancel()
                raise
            else:
                for key, answer in batch:
                    if not answer.done():
                        answer.set_result(found.get(key))
