"""Log events that strangers can cause in any number. The first event is logged at once, and the events that
follow are counted in one line a minute, so that a stranger cannot fill the log.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)
PERIOD_S = 60
LOOKED_AT = 1_000  # In each period the values of the first events are noted; later events are only counted.
Values = tuple[str | int, ...]


class Repeats:
    """The repeats of one log event in one process. Events with different values are of different kinds;
    `names` are the names of these values.
    """

    def __init__(self, event: str, *names: str, level: int = logging.WARNING) -> None:
        self._event, self._names, self._level = event, names, level
        self._count = 0
        self._kinds: Counter[Values] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, find_values: Callable[[], Values]) -> None:
        """Count the event once more, under the kind that `find_values` gives."""
        self._count += 1
        if self._count <= LOOKED_AT:
            self._kinds[find_values()] += 1
        if self._timer is None:
            self.tell()

    def tell(self) -> None:
        """Log the number of events since the last line, and the commonest kind among the first thousand; log
        nothing when there was no event.
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
