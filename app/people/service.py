"""The portal's users and departments, which are read only when the log needs them.

Documentation: api-reference/user/user-get.md, api-reference/departments/department-get.md.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol, TypeVar

import structlog

from app.bitrix24.methods.departments import Department, list_departments
from app.bitrix24.methods.users import User, list_users
from app.bitrix24.rest.portal_client import PortalClient
from app.kit.clock import Clock
from app.kit.fairness.turns import Kind
from app.kit.metrics import LIMITED
from app.kit.storage.database import Database
from app.kit.text import shorten
from app.people.queries import find_people, note_read_at, note_unlisted, take_reading, upsert_people
from app.people.structure import take
from app.people.structure_queries import store_structure
from app.portals.model import Portal
from app.portals.outbound.access import (
    ACCESS_FAILURES,
    PortalAccess,
    Work,
)
from app.portals.settings.quotas import Quotas
from app.portals.tokens.refresh_budget import is_affordable

log = structlog.get_logger(__name__)
DAY_S = 86_400
LEAST_INTERVAL_S = 600
ANSWERS_S = 240  # For all pages of a list; 20,000 users come in a fifth of that time.
MAX_UNKNOWN = 500
LONGEST_NAME = 100  # In characters; a name stands in every row of a list.
# The longest list that a portal may have takes 50 MiB; it is read once a day.
PEOPLE = Kind(name="people", places=2)


Result = TypeVar("Result")


def _no_label(_: int) -> str:
    return ""


async def _list_departments(client: PortalClient, access_token: str) -> tuple[list[Department] | None]:
    """The departments, in a tuple, because None has a meaning of its own: the app lacks the scope."""
    return (await list_departments(client, access_token),)


class Announcer(Protocol):
    """Tells open pages to reload their content."""

    def announce(self, portal_id: int) -> None:
        """Tell the portal's open pages that their content has changed."""
        ...


class People:
    """The names of users for the log, and the reads that refresh them."""

    def __init__(
        self,
        access: PortalAccess,
        database: Database,
        clock: Clock,
        quotas: Quotas,
        changes: Announcer | None = None,
    ) -> None:
        self._access = access
        self._database = database
        self._clock = clock
        self._quotas = quotas
        self._changes = changes
        self._revisions: Counter[int] = Counter()
        self._unknown: dict[int, set[int]] = {}

    async def find_names(
        self, portal: Portal, user_ids: Iterable[int | None], label: Callable[[int], str] = _no_label
    ) -> dict[int, str]:
        """Names by user id in one query; unknown users are missing.

        `label` gives the name of a system user (a bot, a partner of Bitrix24), which the portal never lists.
        """
        wanted = {user_id for user_id in user_ids if user_id is not None}
        names = await self.find_known_names(portal, wanted, label)
        self._note_unknown(portal.id, wanted - names.keys())
        return names

    @staticmethod
    async def find_known_names(
        portal: Portal, user_ids: Iterable[int], label: Callable[[int], str] = _no_label
    ) -> dict[int, str]:
        """As `find_names`, but unknown ids are not noted for the next read, because perhaps no call names
        them.
        """
        people = await find_people(portal.id, user_ids)
        return {
            user_id: shorten(person.name, LONGEST_NAME) if person.is_listed or person.name else label(user_id)
            for user_id, person in people.items()
        }

    def _note_unknown(self, portal_id: int, user_ids: set[int]) -> None:
        """Keep these ids until the users are read; at most MAX_UNKNOWN, because events can invent ids."""
        if user_ids:
            unknown = self._unknown.setdefault(portal_id, set())
            unknown.update(islice(user_ids - unknown, MAX_UNKNOWN - len(unknown)))

    def is_due(self, portal: Portal, *, is_somebody_unknown: bool) -> bool:
        """Whether the users are due to be read: a day after the last read, or ten minutes after it when a
        call names an unknown user. Never while the portal cannot be contacted, and never when the read would
        need a refresh of the pair that is not affordable.
        """
        now = self._clock.now()
        age_s = now - portal.people_read_at
        is_free = portal.is_reachable and not portal.is_paused(now)
        is_old = age_s >= (LEAST_INTERVAL_S if is_somebody_unknown else DAY_S)
        return is_free and is_old and is_affordable(portal, now)

    async def refresh(self, portal: Portal) -> None:
        """Read all users and departments of the portal and store them; nothing changes when the portal does
        not answer. An unknown user whom the portal does not list is stored as a system user.

        The time is noted before the portal is asked, so that no second process asks at the same time.
        """
        now = self._clock.now()
        if not await take_reading(portal.id, portal.generation, portal.people_read_at, now):
            return
        told = await self._ask(portal, "users", self._list_users)
        if told is None:
            return
        users = told[: self._quotas.people]
        await self._store_users(portal, users, is_whole=len(users) == len(told))
        await self._read_structure(portal, users, now)
        self._revisions[portal.id] += 1
        if self._changes is not None:
            self._changes.announce(portal.id)
        log.info("users read", portal_id=portal.id, count=len(users))

    async def _list_users(self, client: PortalClient, access_token: str) -> list[User]:
        """The users, at most as many as a portal may store and one more, which shows that there are too
        many.
        """
        most = self._quotas
        return await list_users(
            client, access_token, most_users=most.people + 1, most_memberships=most.memberships
        )

    async def _store_users(self, portal: Portal, users: list[User], *, is_whole: bool) -> None:
        """Store the users, and the unknown ids among calls as system users. Unknown ids are stored only when
        the list is whole: an id that an incomplete list lacks may still be a listed user.
        """
        installation, most = (portal.id, portal.generation), self._quotas.people
        unlisted = self._unknown.pop(portal.id, set()) - {user.user_id for user in users}
        is_all = await upsert_people(*installation, users, self._database, most)
        if is_whole:
            is_all &= await note_unlisted(*installation, unlisted, self._database, most)
        self._note_limit(portal, "users", is_whole=is_whole and is_all)

    async def _read_structure(self, portal: Portal, users: Iterable[User], now: int) -> None:
        answer = await self._ask(portal, "departments", _list_departments)
        if answer is None:
            return  # The known departments stay.
        told = None
        if answer[0] is not None:
            members = {user.user_id: user.department_ids for user in users}
            told = await asyncio.to_thread(take, answer[0], members, self._quotas)
            self._note_limit(portal, "departments", is_whole=told.is_whole)
        # If the writing is cut off, the next read is soon.
        await note_read_at(portal.id, portal.generation, now - DAY_S + LEAST_INTERVAL_S)
        await store_structure(portal.id, portal.generation, told, now, self._database)
        await note_read_at(portal.id, portal.generation, now)

    @staticmethod
    def _note_limit(portal: Portal, what: str, *, is_whole: bool) -> None:
        if not is_whole:
            LIMITED.labels(what).inc()
            log.warning("more than is taken of a portal", portal_id=portal.id, what=what)

    async def _ask(self, portal: Portal, what: str, work: Work[Result]) -> Result | None:
        """The portal's answer; None, and a line in our log, when it gives none."""
        try:
            async with asyncio.timeout(ANSWERS_S):
                return await self._access.use(portal, work)
        except (*ACCESS_FAILURES, TimeoutError) as error:
            log.warning("people not read", portal_id=portal.id, what=what, error=type(error).__name__)
            return None

    def revision(self, portal: Portal) -> int:
        """A number that changes when this process has read the portal's users again."""
        return self._revisions[portal.id]
