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
