"""Reads by key: callers that ask at the same time share one read.

No answer is older than its question, because a read begins after the last caller that shares it has asked. So
there is no cache that could be outdated, and any number of questions costs one read at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import Generic, TypeVar

MAX_KEYS = 500  # In one read, so that no statement grows with the number of callers.
Value = TypeVar("Value")


class SharedReads(Generic[Value]):
    """The reads of one kind; `read` answers several keys at once and leaves out those without a value."""

    def __init__(self, read: Callable[[set[str]], Awaitable[Mapping[str, Value]]]) -> None:
        self._read = read
        self._waiting: list[tuple[str, asyncio.Future[Value | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, key: str) -> Value | None:
        """The value under the key now, or None; raises the errors of `read`."""
        answer: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        # The read runs outside of the first caller's transaction.
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="shared reads", context=Context())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # Requests that were received with the first one share its read.
            batch, self._waiting = self._waiting[:MAX_KEYS], self._waiting[MAX_KEYS:]
            try:
                found = await self._read({key for key, _ in batch})
            except Exception as error:  # noqa: BLE001  Every error goes to the callers.
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
