"""How much each portal was sent and has not forgotten yet, in milliseconds that it takes to forget it."""

import time
from collections.abc import Callable
from typing import Protocol

_SWEEP_ABOVE = 1000


class Accounts(Protocol):
    """An account for each portal: its backlog melts away by a millisecond in each."""

    async def take(self, portal_key: str, cost_ms: int, most_ms: int) -> int | None:
        """The backlog after one more request; None, and nothing is counted, when it would exceed
        `most_ms`.
        """
        ...

    async def fill(self, portal_key: str, least_ms: int) -> None:
        """Raise the backlog to this, if it is lower."""
        ...


class LocalAccounts:
    """This process's own; `monotonic` (seconds) is real unless a test moves time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._empty_at_ms: dict[str, int] = {}  # When each backlog will have melted away.

    async def take(self, portal_key: str, cost_ms: int, most_ms: int) -> int | None:
        """As `Accounts` says."""
        backlog_ms = self._read(portal_key) + cost_ms
        if backlog_ms > most_ms:
            return None
        self._write(portal_key, backlog_ms)
        return backlog_ms

    async def fill(self, portal_key: str, least_ms: int) -> None:
        """As `Accounts` says."""
        self._write(portal_key, max(least_ms, self._read(portal_key)))

    def _now_ms(self) -> int:
        return int(self._monotonic() * 1000)

    def _read(self, portal_key: str) -> int:
        return max(0, self._empty_at_ms.get(portal_key, 0) - self._now_ms())

    def _write(self, portal_key: str, backlog_ms: int) -> None:
        now_ms = self._now_ms()
        self._empty_at_ms[portal_key] = now_ms + backlog_ms
        if len(self._empty_at_ms) > _SWEEP_ABOVE:
            self._empty_at_ms = {key: at for key, at in self._empty_at_ms.items() if at > now_ms}
