"""Proof that a task waits for a transaction of the test, so that one comes after the other."""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

from app.kit.storage.database import Database
from tests.patience import wait_until

Result = TypeVar("Result")


def begin_apart(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Start the work outside the transaction that the caller is in."""
    return asyncio.create_task(work, context=contextvars.Context())


async def wait_until_blocked(database: Database, task: asyncio.Task[Any], words: str) -> None:
    """Wait until the task waits: SQLite queues it behind the transaction in this loop; PostgreSQL shows that
    a statement with these words waits for a lock.
    """
    sql = f"SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%{words}%'"
    await asyncio.sleep(0)
    if database.is_sqlite:
        return

    async def is_blocked() -> bool:
        await database.run("SELECT pg_stat_clear_snapshot()")  # A transaction sees one snapshot of it.
        assert not task.done(), "it did not wait for the transaction"
        return bool(await database.run(sql))

    await wait_until(is_blocked)
