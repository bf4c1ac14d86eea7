"""Trying a transaction on calls again after it met another one: the one rule for all writers of calls."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

ATTEMPTS = 3
Result = TypeVar("Result")


class OvertakenError(Exception):
    """Another process inserted the same call or row meanwhile: do the transaction again."""


async def retry_overtaken(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """The result of the transaction, which is tried three times in all.

    It is tried again where another process was faster with a new call, and where PostgreSQL rolled it back:
    it and another transaction waited for each other, or a row changed meanwhile. Raises the error of the
    third attempt, and any other error at once.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt()
        except (OvertakenError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
            continue
    return await attempt()
