"""A time limit that moves while the work goes on."""

import asyncio


def move_limit(limit: asyncio.Timeout, when: float | None) -> None:
    """Set when the limit expires, in the loop's time; None is never. An expired limit stays expired."""
    if not limit.expired():
        limit.reschedule(when)
