"""The backlog of requests at each portal, as the milliseconds that the portal takes to forget them."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

_SWEEP_ABOVE = 1000


class Accounts(Protocol):
    """An account for each key, a portal's or a host's; each backlog falls by 1,000 ms a second."""

    async def take(self, keys: Sequence[str], cost_ms: int, most_ms: int) -> int | None:
        """Count one more request on each account and return the largest backlog; count nothing and return
        None when a backlog would exceed `most_ms`.
        """
        ...

    async def fill(self, keys: Sequence[str], least_ms: int) -> None:
        """Raise each backlog to at least `least_ms`."""
        ...


class LocalAccounts:
    """The accounts of this process alone; `monotonic` (seconds) is real unless a test moves time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._empty_at_ms: dict[str, int] = {}  # The moment at which each backlog will be nothing.

    async def take(self, keys: Sequence[str], cost_ms: int, most_ms: int) -> int | None:
        """As `Accounts` says."""
        backlogs_ms = {key: self._read(key) + cost_ms for key in keys}
        if max(backlogs_ms.values()) > most_ms:
            return None
        for key, backlog_ms in backlogs_ms.items():
            self._write(key, backlog_ms)
        return max(backlogs_ms.values())

    async def fill(self, keys: Sequence[str], least_ms: int) -> None:
        """As `Accounts` says."""
        for key in keys:
            self._write(key, max(least_ms, self._read(key)))

    def _now_ms(self) -> int:
        return int(self._monotonic() * 1000)

    def _read(self, portal_key: str) -> int:
        return max(0, self._empty_at_ms.get(portal_key, 0) - self._now_ms())

    def _write(self, portal_key: str, backlog_ms: int) -> None:
        now_ms = self._now_ms()
        self._empty_at_ms[portal_key] = now_ms + backlog_ms
        if len(self._empty_at_ms) > _SWEEP_ABOVE:
            self._empty_at_ms = {key: at for key, at in self._empty_at_ms.items() if at > now_ms}
