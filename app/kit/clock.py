"""The one place that asks the machine what time it is."""

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time; tests pass one that they move by hand."""

    def now(self) -> int:
        """Unix time in whole seconds, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Unix time in whole seconds, UTC."""
        return int(time.time())


def read_elapsed_s() -> float:
    """Seconds since some moment, which nobody can set and which go on while the machine is suspended, where
    the system counts them (Linux does).
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
