"""Lines of the log that others can cause in any number: the first at once, those that follow as one a minute.

Who causes them decides how many there are, never how many lines they cost.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)
PERIOD_S = 60
LOOKED_AT = 1_000  # The first of a period, of which it is looked at whose they are; the others are counted.
Values = tuple[str | int, ...]


class Repeats:
    """Those of one event in one process; `names` are those of the values that tell one kind from another."""

    def __init__(self, event: str, *names: str, level: int = logging.WARNING) -> None:
        self._event, self._names, self._level = event, names, level
        self._count = 0
        self._kinds: Counter[Values] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, find_values: Callable[[], Values]) -> None:
        """It has happened once more."""
        self._count += 1
        if self._count <= LOOKED_AT:
            self._kinds[find_values()] += 1
        if self._timer is None:
            self.tell()

    def tell(self) -> None:
        """Log those since the last line, if there are any, and of which kind most of the first thousand
        were.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if not self._count:
            return
        values, most = self._kinds.most_common(1)[0]
        kind = dict(zip(self._names, values, strict=True))
        log.log(
            self._level, self._event, count=self._count, kinds=len(self._kinds), **kind, count_of_these=most
        )
        self._count = 0
        self._kinds.clear()
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self.tell)
