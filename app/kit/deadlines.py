"""A limit of time that moves while the work goes on."""

import asyncio


def move_limit(limit: asyncio.Timeout, when: float | None) -> None:
    """Let it end at that time of the loop, or never (None), unless it is over."""
    if not limit.expired():
        limit.reschedule(when)
