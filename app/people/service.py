"""The portal's users: read from the portal when the log needs them, and not more often than that.

Documentation: api-reference/user/user-get.md.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

import structlog

from app.bitrix24.errors import BitrixFailure
from app.bitrix24.users import list_users
from app.kit.clock import Clock
from app.kit.database import Database
from app.people.queries import claim_reading, find_names, upsert_people
from app.portals.access import PortalAccess, PortalNotConnectedError, PortalUnreachableError
from app.portals.model import Portal

log = structlog.get_logger(__name__)
DAY_S = 86_400
LEAST_INTERVAL_S = 600


class Announcer(Protocol):
    """Tells open pages to look again."""

    def announce(self, portal_id: int) -> None:
        """Something that a portal's pages show has changed."""
        ...


class People:
    """Names for the log, and their refreshing."""

    def __init__(
        self, access: PortalAccess, database: Database, clock: Clock, changes: Announcer | None = None
    ) -> None:
        self._access = access
        self._database = database
        self._clock = clock
        self._changes = changes
        self._revisions: Counter[int] = Counter()

    async def find_names(self, portal: Portal, user_ids: Iterable[int | None]) -> dict[int, str]:
        """Names by user id in one query; unknown users are missing."""
        return await find_names(portal.id, (user_id for user_id in user_ids if user_id is not None))

    def is_due(self, portal: Portal, *, is_somebody_unknown: bool) -> bool:
        """Whether to read the users now: daily, and at most every ten minutes for somebody who is unknown."""
        age_s = self._clock.now() - portal.people_read_at
        is_free = portal.is_reachable and not portal.is_paused(self._clock.now())
        return is_free and age_s >= (LEAST_INTERVAL_S if is_somebody_unknown else DAY_S)

    async def refresh(self, portal: Portal) -> None:
        """Read all users of the portal and store them; a portal that does not answer is asked another time.

        The time is noted before the portal is asked, so that a second process does not ask as well.
        """
        now = self._clock.now()
        if not await claim_reading(portal.id, portal.generation, portal.people_read_at, now):
            return
        try:
            users = await self._access.use(portal, list_users)
        except (BitrixFailure, PortalNotConnectedError, PortalUnreachableError) as error:
            log.warning("users not read", portal_id=portal.id, error=type(error).__name__)
            return
        await upsert_people(portal.id, portal.generation, users, self._database)
        self._revisions[portal.id] += 1
        if self._changes is not None:
            self._changes.announce(portal.id)
        log.info("users read", portal_id=portal.id, count=len(users))

    def revision(self, portal: Portal) -> int:
        """A number that changes when this process has read the portal's users anew."""
        return self._revisions[portal.id]
