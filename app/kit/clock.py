"""The one place that reads the machine's clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """An object that tells the time; tests pass one that they move by hand."""

    def now(self) -> int:
        """Unix time in whole seconds, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Unix time in whole seconds, UTC."""
        return int(time.time())


def read_elapsed_s() -> float:
    """Seconds since an arbitrary moment; nobody can set this clock.

    On Linux it also goes on while the machine is suspended; elsewhere it may stand still meanwhile.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
