"""Evidence that a call is missing, or that facts come late: noted at once, written to the marks soon after.

The process that takes an event notes evidence in memory, because events are on the hot path. Every few
seconds it writes its notes, of all portals by one statement. The same loop writes a heartbeat of each process
to the database. A process that starts and finds no heartbeat knows that no process took events until then. A
killed process leaves a heartbeat that stands still. The first process that sees this, even the one that took
its place a second later, has the statistics of all portals read. That finds the calls whose events nobody
took, and those that the killed process had noted.

Each process counts in its own beats whether a heartbeat stands still: the wall clocks of two machines may
differ, and anybody may set them. So the time in a heartbeat only tells one beat from the next.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from app.calls.statistics.progress.evidence_queries import want_late_facts, want_read_everywhere, want_reads
from app.calls.statistics.progress.read_schedule import LATE_FACTS_S
from app.kit.clock import Clock, read_elapsed_s
from app.kit.fairness.budget import RecentlySeen
from app.kit.storage.database import DATABASE_ERRORS, Database
from app.portals.fact_queries import Fact, delete_fact, list_facts, write_fact

log = structlog.get_logger(__name__)
PERIOD_S = 10
DEAD_AFTER_BEATS = 3  # A living process writes at least two meanwhile, unless the database is slow.
DEAD_AFTER_S = DEAD_AFTER_BEATS * PERIOD_S
HEARTBEAT, TAKING = "events_taken:", "taking"  # The id of the process ends the name.
REJECTED_EVERY_S = 3600  # A stranger with a portal's member_id can cause one read an hour at most.


class Evidence:
    """The notes of this process, and its heartbeat. `elapsed` returns seconds that no clock setting changes;
    tests give another one.
    """

    def __init__(
        self, database: Database, clock: Clock, elapsed: Callable[[], float] = read_elapsed_s
    ) -> None:
        self._database = database
        self._clock = clock
        self._missing: set[int] = set()
        self._late: dict[int, int] = {}
        self._is_all_missing = False
        self._rejected = RecentlySeen(clock)
        self._heartbeat = f"{HEARTBEAT}{uuid.uuid4().hex}"
        self._elapsed = elapsed
        self._beaten_at = elapsed()
        # The other heartbeats by name, and for how many of our beats each has been the same.
        self._others: dict[str, tuple[Fact, int]] = {}

    def note_missing(self, portal_id: int) -> None:
        """Note that a verified event of this portal was not stored as a call."""
        self._missing.add(portal_id)

    def note_rejected(self, portal_id: int) -> None:
        """Note a refused event in this portal's name: the token in the event may be newer than the stored
        one.
        """
        key = str(portal_id)
        if key not in self._rejected:
            self._rejected.remember(key, REJECTED_EVERY_S)
            self._missing.add(portal_id)

    def note_call(self, portal_id: int) -> None:
        """Note that a call has ended: the portal will have its late facts in a few minutes."""
        self._late.setdefault(portal_id, self._clock.now() + LATE_FACTS_S)

    def note_all_missing(self) -> None:
        """Note that events were turned away, of portals that are not known."""
        self._is_all_missing = True

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        """While inside, this process takes events: it writes its notes and its heartbeat."""
        await self._look_who_was_before()
        task = asyncio.create_task(self._run(), name="evidence")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.flush()
            await delete_fact(self._heartbeat, TAKING)

    async def flush(self) -> None:
        """Write the notes; keep those that cannot be written for the next time."""
        now = self._clock.now()
        missing, self._missing = self._missing, set()
        late, self._late = self._late, {}
        is_all_missing, self._is_all_missing = self._is_all_missing, False
        try:
            if is_all_missing:
                await want_read_everywhere(now)
            await want_reads(self._database, missing, now)
            await want_late_facts(self._database, late)
        except DATABASE_ERRORS as error:
            log.warning("evidence not written", error=type(error).__name__)
            self._missing |= missing
            self._late = late | self._late
            self._is_all_missing |= is_all_missing

    async def _run(self) -> None:
        while True:
            await self.beat()
            await asyncio.sleep(PERIOD_S)

    async def _look_who_was_before(self) -> None:
        """Treat each process as killed if its heartbeat is old by our clock.

        At the start this process has counted no beats yet. If the clocks mislead it, all portals are read
        once for nothing.
        """
        found, now = await list_facts(HEARTBEAT), self._clock.now()
        old = [name for name, fact in found.items() if abs(now - fact.at) > DEAD_AFTER_S]
        if not found:
            self.note_all_missing()
        await self._bury(old)
        self._beaten_at = self._elapsed()

    async def beat(self) -> None:
        """Write the notes and the heartbeat, and find the processes whose heartbeat stands still."""
        if self._was_suspended():  # No process took its events meanwhile.
            self.note_all_missing()
        try:
            await self._bury(self._find_still(await list_facts(HEARTBEAT)))
            await self.flush()
            await self.show_alive()
        except DATABASE_ERRORS as error:
            log.warning("heartbeat not written", error=type(error).__name__)

    async def show_alive(self) -> None:
        """Write the heartbeat."""
        await write_fact(self._heartbeat, TAKING, self._clock.now())

    def _was_suspended(self) -> bool:
        before, self._beaten_at = self._beaten_at, self._elapsed()
        return self._beaten_at - before > DEAD_AFTER_S

    def _find_still(self, found: dict[str, Fact]) -> list[str]:
        """The names of the others' heartbeats that have been the same for DEAD_AFTER_BEATS of ours."""
        found.pop(self._heartbeat, None)
        before, self._others = self._others, {}
        for name, fact in found.items():
            last, beats = before.get(name, (None, 0))
            self._others[name] = fact, beats + 1 if fact == last else 0
        return [name for name, (_, beats) in self._others.items() if beats >= DEAD_AFTER_BEATS]

    async def _bury(self, names: list[str]) -> None:
        if names:
            await want_read_everywhere(self._clock.now())
        for name in names:
            await delete_fact(name, TAKING)
