"""The time of each portal's last event, kept in memory and written for all portals at once, so that no row is
written for each event.
"""

import structlog

from app.calls.intake.intake_queries import Execute, write_last_events
from app.kit.clock import Clock
from app.kit.storage.database import DATABASE_ERRORS, Database

PERIOD_S = 10
log = structlog.get_logger(__name__)


class LastEvents:
    """When each portal's last event came. The times are only shown to people, so a crash may lose those of
    the last ten seconds.
    """

    def __init__(self, database: Database, clock: Clock, execute: Execute) -> None:
        self._database = database
        self._clock = clock
        self._execute = execute
        self._seen: dict[int, int] = {}
        self._due_at = 0

    def note(self, portal_ids: set[int]) -> None:
        """Note that these portals have sent an event now."""
        self._seen.update(dict.fromkeys(portal_ids, self._clock.now()))

    async def flush_if_due(self) -> None:
        """Write the notes if the last writing is ten seconds ago or more."""
        if self._seen and self._clock.now() >= self._due_at:
            await self.flush()

    async def flush(self) -> None:
        """Write the notes; a portal with a held row is left out, until its next event."""
        if not self._seen:
            return
        seen, self._seen = self._seen, {}
        self._due_at = self._clock.now() + PERIOD_S
        try:
            await write_last_events(seen, self._execute, self._database)
        except DATABASE_ERRORS as error:
            self._seen = seen | self._seen
            log.warning("last_event_at not written", error=type(error).__name__)
