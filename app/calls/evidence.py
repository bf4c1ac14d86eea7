"""What speaks for a call that is missing, or for facts that come late: noted at once, written soon after.

Events are on the hot path, so they note in memory; every few seconds what was noted is written for all
portals by one statement. The same loop keeps a heartbeat of each process in the database. One that starts
and finds none knows that nobody took events meanwhile. One that was killed leaves a heartbeat that grows old:
whoever sees it first, be it the process that took its place a second later, has all portals read, which
covers what came meanwhile and what the killed one had noted.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from app.calls.evidence_queries import want_late_facts, want_read_everywhere, want_reads
from app.calls.schedule import LATE_FACTS_S
from app.kit.clock import Clock
from app.kit.database import DATABASE_ERRORS, Database
from app.portals.budget import RecentlySeen
from app.portals.fact_queries import delete_fact, list_facts, write_fact

log = structlog.get_logger(__name__)
PERIOD_S = 10
DEAD_AFTER_S = 3 * PERIOD_S
HEARTBEAT, TAKING = "events_taken:", "taking"  # The name goes on with the process.
REJECTED_EVERY_S = 3600  # Strangers who know a portal's member_id cause a read an hour at most.


class Evidence:
    """Notes of this process, and its heartbeat."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._missing: set[int] = set()
        self._late: dict[int, int] = {}
        self._is_all_missing = False
        self._rejected = RecentlySeen(clock)
        self._heartbeat = f"{HEARTBEAT}{uuid.uuid4().hex}"

    def note_missing(self, portal_id: int) -> None:
        """A verified event of this portal was not stored as a call."""
        self._missing.add(portal_id)

    def note_rejected(self, portal_id: int) -> None:
        """An event that says it is of this portal was refused: its token may be a newer one than ours."""
        key = str(portal_id)
        if key not in self._rejected:
            self._rejected.remember(key, REJECTED_EVERY_S)
            self._missing.add(portal_id)

    def note_call(self, portal_id: int) -> None:
        """A call has ended: what comes late to it will be there in a few minutes."""
        self._late.setdefault(portal_id, self._clock.now() + LATE_FACTS_S)

    def note_all_missing(self) -> None:
        """Events were turned away, and it is not known whose."""
        self._is_all_missing = True

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        """While inside, this process takes events: notes are written, the heartbeat is kept."""
        if not await list_facts(HEARTBEAT):
            self.note_all_missing()
        task = asyncio.create_task(self._run(), name="evidence")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.flush()
            await delete_fact(self._heartbeat, TAKING)

    async def flush(self) -> None:
        """Write what was noted; what cannot be written is kept for the next time."""
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

    async def beat(self) -> None:
        """Write what was noted, and the heartbeat; find those who have none any more."""
        try:
            await self._bury_dead()
            await self.flush()
            await self.show_alive()
        except DATABASE_ERRORS as error:
            log.warning("heartbeat not written", error=type(error).__name__)

    async def show_alive(self) -> None:
        """Write the heartbeat."""
        await write_fact(self._heartbeat, TAKING, self._clock.now())

    async def _bury_dead(self) -> None:
        """This process is among them when it was suspended: nobody took its events either."""
        now = self._clock.now()
        dead = [
            name for name, fact in (await list_facts(HEARTBEAT)).items() if abs(now - fact.at) > DEAD_AFTER_S
        ]
        if dead:
            await want_read_everywhere(now)
        for name in dead:
            await delete_fact(name, TAKING)
