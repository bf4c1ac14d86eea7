"""Whether a portal has room for more calls.

Each process notes in memory how much it stores, and adds that up in the database within a second. So each
process knows how much all had stored a moment ago. So a portal can exceed its quota, by at most the calls
that each process stores for it within a second (decision 0023).
"""

import asyncio
from contextlib import suppress
from contextvars import Context

import structlog

from app.calls.space.removal_queries import evict_some_calls
from app.calls.space.sizes import Size
from app.calls.space.usage_queries import add_sizes, find_usage
from app.kit.clock import Clock
from app.kit.fairness.budget import Budget
from app.kit.limited_memory import LimitedMemory
from app.kit.metrics import EVICTED, QUOTA_REFUSALS
from app.kit.storage.database import DATABASE_ERRORS, Database
from app.portals.settings.quotas import MIB, USUAL, QuotaReached, Quotas

WRITTEN_AFTER_S = 1.0
# The notes are written before that time is over if those of all portals together become so large.
WRITTEN_AT = Size(1_000, 8 * MIB)
# Portals whose total is in memory; for any other portal its next call fetches the total.
REMEMBERED = 10_000
STEPS_A_LOOK = 10  # Small transactions: events of other portals get their turn between them.
EVICTING_EVERY_S = 1
FULL_FOR_S = 10  # Then this process looks again: removed calls make room.
log = structlog.get_logger(__name__)


class Room:
    """Notes how much portals store, and turns away portals without room; all in the loop of its process."""

    def __init__(self, database: Database, clock: Clock, quotas: Quotas = USUAL) -> None:
        self.quotas = quotas
        self._database = database
        self._clock = clock
        self._pace = Budget(clock, quotas.mib_a_minute * MIB)
        self._too_fast: set[int] = set()
        self._full: set[int] = set()
        self._next_looks: dict[int, int] = {}
        self._looking: dict[int, asyncio.Task[None]] = {}
        self._totals = LimitedMemory[int, Size](REMEMBERED)
        self._unwritten: dict[int, Size] = {}
        self._waiting = Size()  # The sum of `_unwritten`.
        self._hurry = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._is_stopping = False

    async def admit(self, portal_id: int) -> None:
        """Let a call of the portal pass; raises QuotaReached when there is no room, or calls come too fast.

        Before it raises for want of room, it removes unconfirmed calls, oldest first.
        """
        if portal_id in self._too_fast:
            self._check_pace(portal_id)
        if portal_id in self._full:
            await self._make_room(portal_id)

    async def admit_read(self, portal_id: int) -> None:
        """Let a read of the statistics begin, by the total of all processes; raises as `admit` does."""
        self._take_total(portal_id, await self._find_total(portal_id))
        await self.admit(portal_id)

    def note(self, portal_id: int, size: Size) -> None:
        """Note that calls of this size were stored, or removed (less than 0), and that this is durable."""
        if size == Size():
            return
        self._unwritten[portal_id] = self._unwritten.get(portal_id, Size()) + size
        self._waiting += size
        if portal_id in self._totals:
            self._take_total(portal_id, self._totals[portal_id] + size)
        if size.text_bytes > 0:
            self._pace.charge(str(portal_id), size.text_bytes)
            if not self._pace.has(str(portal_id)):
                self._too_fast.add(portal_id)
        is_much = self._waiting.rows >= WRITTEN_AT.rows or self._waiting.text_bytes >= WRITTEN_AT.text_bytes
        if is_much or portal_id not in self._totals:  # Only writing tells the portal's total.
            self._hurry.set()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon(), name="usage", context=Context())

    async def is_full(self, portal_id: int) -> bool:
        """Whether the portal is at its quota of calls, by the total of all processes a moment ago."""
        return self._exceeds((await find_usage(portal_id)).size)

    async def list_reached(self, portal_id: int) -> list[str]:
        """The names of the quotas that the portal has reached: the quotas of calls by the total of a moment
        ago, all other quotas by the last count.
        """
        return (await find_usage(portal_id)).list_reached(self.quotas)

    async def write(self) -> None:
        """Add the notes to the totals in the database; keep those that cannot be written."""
        sizes, self._unwritten, self._waiting = self._unwritten, {}, Size()
        if not sizes:
            return
        try:
            totals = await add_sizes(self._database, sizes)
        except DATABASE_ERRORS as error:
            log.warning("usage not written", error=type(error).__name__)
            for portal_id, size in sizes.items():
                self._unwritten[portal_id] = self._unwritten.get(portal_id, Size()) + size
            return
        for portal_id, total in totals.items():
            self._take_total(portal_id, total + self._unwritten.get(portal_id, Size()))

    async def stop(self) -> None:
        """Wait for the tasks that run, and write the notes."""
        self._is_stopping = True
        self._hurry.set()
        tasks = [*self._looking.values(), *([self._writing] if self._writing else [])]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.write()

    async def _write_soon(self) -> None:
        while self._unwritten and not self._is_stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITTEN_AFTER_S):
                    await self._hurry.wait()
            self._hurry.clear()
            await self.write()

    async def _make_room(self, portal_id: int) -> None:
        if self._clock.now() >= self._next_looks.get(portal_id, 0):
            if portal_id not in self._looking:
                look = self._look(portal_id)  # A task of its own, for several events may wait for it.
                self._looking[portal_id] = asyncio.create_task(look, name="room", context=Context())
            await asyncio.shield(self._looking[portal_id])
        if portal_id in self._full:
            QUOTA_REFUSALS.labels("calls").inc()
            raise QuotaReached

    async def _look(self, portal_id: int) -> None:
        """Find the portal's total, and remove unconfirmed calls if it is full.

        It writes the notes first: otherwise this process could refuse a call while another process still sees
        room.
        """
        evicted = 0
        try:
            await self.write()
            self._take_total(portal_id, await self._find_total(portal_id))
            evicted = await self._evict(portal_id)
        except DATABASE_ERRORS as error:
            log.warning("no room made", portal_id=portal_id, error=type(error).__name__)
        finally:
            del self._looking[portal_id]
        pause_s = EVICTING_EVERY_S if evicted else FULL_FOR_S
        self._next_looks[portal_id] = self._clock.now() + pause_s

    async def _evict(self, portal_id: int) -> int:
        calls = 0
        for _ in range(STEPS_A_LOOK):
            if portal_id not in self._full:
                break
            step = await evict_some_calls(portal_id, self._database)
            self.note(portal_id, -step.size)
            EVICTED.inc(step.calls)
            calls += step.calls
            if not step.calls:
                break
        return calls

    async def _find_total(self, portal_id: int) -> Size:
        return (await find_usage(portal_id)).size + self._unwritten.get(portal_id, Size())

    def _take_total(self, portal_id: int, total: Size) -> None:
        self._totals[portal_id] = total
        if self._exceeds(total):
            self._full.add(portal_id)
        else:
            self._full.discard(portal_id)

    def _exceeds(self, total: Size) -> bool:
        return total.rows >= self.quotas.rows or total.text_bytes >= self.quotas.text_bytes

    def _check_pace(self, portal_id: int) -> None:
        if not self._pace.has(str(portal_id)):
            QUOTA_REFUSALS.labels("pace").inc()
            raise QuotaReached
        self._too_fast.discard(portal_id)
