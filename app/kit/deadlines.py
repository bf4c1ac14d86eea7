"""A time limit that moves while the work goes on."""

import asyncio


def move_limit(limit: asyncio.Timeout, when: float | None) -> None:
    """Set the moment, by the loop's clock, at which the limit expires; None means never. An expired limit
    stays expired.
    """
    if not limit.expired():
        limit.reschedule(when)
