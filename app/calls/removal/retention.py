"""Removing calls after the time for which their portal keeps them; reading them again when that time grows.

A removed call does not come back: `merge` stores no call from the statistics that is already too old. So when
an administrator lengthens the time, the whole statistics are read again.
"""

from collections.abc import Awaitable, Callable

import structlog

from app.calls.removal.retention_queries import purge_some_calls, purge_undecodable
from app.calls.space.room import Room
from app.calls.statistics.progress.mark_queries import reopen_history
from app.kit.clock import Clock
from app.kit.fairness.turns import Kind, PortalTurns
from app.kit.storage.database import Database
from app.portals.model import Portal
from app.portals.settings.portal_settings import PortalSettings
from app.portals.settings.settings_queries import find_settings, hold_settings, list_limited, save_settings

log = structlog.get_logger(__name__)
# A purge mostly writes to the database, so more than two at once would hardly be quicker.
PURGE = Kind(name="purge", places=2)
PORTALS_A_PAGE = 100
STEPS_A_TURN = 1_000  # Then another portal has its turn; the next turn of this portal goes on.


async def store_settings(
    portal: Portal, settings: PortalSettings, changed_by: int, now: int, database: Database
) -> bool:
    """Store the settings of an administrator; False when the portal is uninstalled.

    If calls are kept longer than before, those that were left out may stand anywhere in the statistics, since
    a call can be registered long after it began. So the whole history is read again, and nothing is promised
    until then ("complete up to", reason 1 in `statistics/progress/marks.py`).
    """
    async with database.transaction():
        before = await hold_settings(portal.id, database)
        if not await save_settings(portal.id, settings, changed_by, now, database):
            return False
        if settings.keeps_longer_than(before):
            await reopen_history(portal.id, portal.generation, now)
    return True


class Retention:
    """Removes old calls; `note_overwriting` asks the database to overwrite the deleted bytes."""

    def __init__(
        self, database: Database, clock: Clock, note_overwriting: Callable[[], Awaitable[None]], room: Room
    ) -> None:
        self._database = database
        self._room = room
        self._clock = clock
        self._note_overwriting = note_overwriting

    async def purge_all(self, turns: PortalTurns) -> None:
        """Begin a purge of each portal that keeps its calls for a limited time."""
        last = 0
        while portal_ids := await list_limited(PORTALS_A_PAGE, last):
            turns.begin_all(PURGE, portal_ids, self.purge)
            last = portal_ids[-1]

    async def purge(self, portal_id: int) -> int:
        """Remove the calls that the portal keeps no longer; return how many. A purge may be cut off and run
        again.
        """
        now = self._clock.now()
        before = (await find_settings(portal_id)).kept_from(now)
        if before is None:
            return 0
        removed, events = 0, await purge_undecodable(portal_id, before)
        for _ in range(STEPS_A_TURN):
            step = await purge_some_calls(portal_id, now, self._database)
            removed += step.calls
            self._room.note(portal_id, -step.size)
            if not step.calls:
                break
        if removed or events:
            await self._note_overwriting()
            log.info("calls purged", portal_id=portal_id, calls=removed, undecodable_events=events)
        return removed
