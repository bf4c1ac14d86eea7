"""The accounts of the portals' rate buckets, common to all processes (decision 0016)."""

import asyncio
from collections.abc import Sequence

import structlog

from app.bitrix24.rest.accounts import Accounts, LocalAccounts
from app.kit.clock import Clock
from app.kit.storage.database import DATABASE_ERRORS, Database
from app.portals.outbound.rate_queries import fill_buckets, take_from_buckets

PATIENCE_S = 5
log = structlog.get_logger(__name__)


class SharedAccounts:
    """Accounts in the database; while the database is away or busy, this process uses its own.

    `clock` replaces the database's clock if a test moves time.
    """

    def __init__(self, database: Database, clock: Clock | None = None, spare: Accounts | None = None) -> None:
        self._database = database
        self._clock = clock
        self._spare = spare or LocalAccounts()

    async def take(self, keys: Sequence[str], cost_ms: int, most_ms: int) -> int | None:
        """As `Accounts` says; the keys are the portal's `member_id` and its host."""
        own_ms = await self._spare.take(keys, cost_ms, most_ms)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await take_from_buckets(self._database, keys, cost_ms, most_ms, self._read_clock())
        except DATABASE_ERRORS as error:
            log.warning("rate bucket not shared", error=type(error).__name__)
            return own_ms

    async def fill(self, keys: Sequence[str], least_ms: int) -> None:
        """As `Accounts` says."""
        await self._spare.fill(keys, least_ms)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await fill_buckets(self._database, keys, least_ms, self._read_clock())
        except DATABASE_ERRORS as error:
            log.warning("rate bucket not shared", error=type(error).__name__)

    def _read_clock(self) -> int | None:
        return None if self._clock is None else self._clock.now() * 1000
