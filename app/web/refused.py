"""Events that are refused, in the log: the first at once, those that follow as one line a minute.

Who forges events decides how many there are, never how many lines they cost. The metrics count each.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)
PERIOD_S = 60
LOOKED_AT = 1_000  # The first of a period, of which it is looked at whose they are; the others are counted.


class RefusedEvents:
    """Those of one process."""

    def __init__(self) -> None:
        self._count = 0
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, member_id: str, find_network: Callable[[], str]) -> None:
        """An event that named this portal, from this network, was refused."""
        self._count += 1
        if self._count <= LOOKED_AT:
            self._kinds[member_id, find_network()] += 1
        if self._timer is None:
            self.tell()

    def tell(self) -> None:
        """Log those since the last line, if there are any, and whose most of the first thousand were."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if not self._count:
            return
        ((member_id, network), most) = self._kinds.most_common(1)[0]
        log.warning(
            "event refused",
            count=self._count,
            kinds=len(self._kinds),
            member_id=member_id,
            network=network,
            count_of_these=most,
        )
        self._count = 0
        self._kinds.clear()
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self.tell)
