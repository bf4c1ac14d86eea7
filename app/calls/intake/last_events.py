"""`portals.last_event_at` without a hot row: kept in memory, written for all portals at once."""

from collections.abc import Awaitable, Callable

import structlog

from app.kit.clock import Clock
from app.kit.storage.database import DATABASE_ERRORS, Database
from app.kit.storage.row_arrays import encode_rows, rows_source

PERIOD_S = 10
_TYPES = {"portal_id": "bigint", "at": "bigint"}
Execute = Callable[[str, object], Awaitable[object]]
log = structlog.get_logger(__name__)


class LastEvents:
    """When each portal's last event came. Only informative: a crash takes the last ten seconds of it.

    `execute` runs a statement with its values on a connection that the caller need not wait for.
    """

    def __init__(self, database: Database, clock: Clock, execute: Execute) -> None:
        self._database = database
        self._clock = clock
        self._execute = execute
        self._seen: dict[int, int] = {}
        self._due_at = 0

    def note(self, portal_ids: set[int]) -> None:
        """These portals have sent an event now."""
        self._seen.update(dict.fromkeys(portal_ids, self._clock.now()))

    async def flush_if_due(self) -> None:
        """Write what was noted if that is ten seconds ago or more."""
        if self._seen and self._clock.now() >= self._due_at:
            await self.flush()

    async def flush(self) -> None:
        """Write what was noted; a portal whose row somebody holds is left out, until its next event."""
        if not self._seen:
            return
        seen, self._seen = self._seen, {}
        self._due_at = self._clock.now() + PERIOD_S
        try:
            await self._execute(self._statement(), encode_rows(seen.items()))
        except DATABASE_ERRORS as error:
            self._seen = seen | self._seen
            log.warning("last_event_at not written", error=type(error).__name__)

    def _statement(self) -> str:
        source = rows_source(self._database, _TYPES)
        if self._database.is_sqlite:
            free = "SELECT id FROM portals"
        else:  # Never a wait, so never a deadlock with a batch that holds several portals.
            held = "FOR NO KEY UPDATE OF portals SKIP LOCKED"
            free = f"SELECT id FROM portals JOIN wanted ON id = portal_id {held}"  # noqa: S608  As below.
        return (
            f"WITH wanted AS (SELECT * FROM {source} k), free AS ({free})"  # noqa: S608  Our own names only.
            " UPDATE portals SET last_event_at = wanted.at FROM wanted, free"
            " WHERE portals.id = wanted.portal_id AND free.id = portals.id AND portals.state = 'installed'"
            " AND (portals.last_event_at IS NULL OR portals.last_event_at < wanted.at)"
        )
