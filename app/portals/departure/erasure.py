"""Erasing a portal: one transaction decides and deletes its secrets. Then its people are erased, in small
steps because there may be thousands. Everything else is erased in the background.

From the decision on, nothing is written for the ended installation. The database holds the work that is left:
the note of the uninstall, `erase_at`, and a fact while bytes are to be overwritten. So the scheduler finishes
an erasure that was interrupted.
"""

import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import structlog

from app.kit.clock import Clock
from app.kit.fairness.turns import Kind
from app.kit.storage.database import Database
from app.portals import lifecycle, pending_queries, queries
from app.portals.absence import uninstall_queries
from app.portals.absence.tombstones import Tombstones
from app.portals.fact_queries import delete_fact, read_fact, write_fact
from app.portals.hold_queries import hold_uninstalled
from app.portals.model import Portal
from app.portals.outbound.exchange_queries import erase_exchanges, erase_some_uninstalled_exchanges
from app.portals.outbound.rate_queries import erase_buckets

log = structlog.get_logger(__name__)
CALLS_KEPT_S = 30 * 24 * 3600
OVERWRITE_DUE = "overwrite_due"
ERASURE = Kind(name="erasure")

EraseSome = Callable[[int], Awaitable[bool]]  # Erases a step; returns False if nothing is left.
EraseAll = Callable[[int], Awaitable[bool]]  # Returns whether nothing is left.


class Calls(Enum):
    """The fate of the calls of a portal that is uninstalled."""

    AS_ANNOUNCED = "as announced"
    KEPT = "kept for 30 days"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Erasers:
    """The erasers of other features, which the wiring hands over: those that run at once, and those that run
    together with the erasure of the calls.
    """

    at_once: Sequence[EraseSome]
    with_calls: Sequence[EraseAll]


class News(Protocol):
    """Tells the watchers of a portal's data in every process."""

    async def notify(self, database: Database, portal_ids: Iterable[int]) -> None:
        """Tell the other processes when the transaction around the call is committed."""
        ...

    def announce(self, portal_id: int) -> None:
        """Tell this process."""
        ...


class Erasure:
    """Erases a portal after an uninstall, after the 30 days, or at the vendor's word."""

    def __init__(
        self, database: Database, clock: Clock, news: News, erasers: Erasers, tombstones: Tombstones
    ) -> None:
        self._tombstones = tombstones
        self._database = database
        self._clock = clock
        self._news = news
        self._erasers = erasers

    async def uninstall(self, portal: Portal, calls: Calls) -> bool:
        """Erase secrets, then people, and set the time at which the calls go; `finish` does the rest. False,
        with nothing erased, if the portal has another installation or pair by now.

        `calls` is ERASED if the vendor or the portal's silence ends the portal, even if the announcement kept
        the calls. It is KEPT if a dead pair is the only sign of the uninstall, because the page of an
        administrator may undo the uninstall at once.
        """
        if not await self._end(portal, calls):
            return False
        self._news.announce(portal.id)
        await self.erase_at_once(portal.id, portal.generation)
        return True

    async def _end(self, portal: Portal, calls: Calls) -> bool:
        now = self._clock.now()
        async with self._database.transaction():
            row = await self._lock_if_same(portal)
            if row is None:
                return False
            is_announced_clean = await uninstall_queries.note_unfinished(portal.id, portal.generation, now)
            is_clean = calls is Calls.ERASED or (calls is Calls.AS_ANNOUNCED and is_announced_clean)
            erase_at = now if is_clean else now + CALLS_KEPT_S
            await queries.update_locked(portal.id, lifecycle.decide_uninstall(row, now, erase_at))
            if calls is Calls.AS_ANNOUNCED:
                await self._tombstones.note_uninstall(portal.member_id)
            await erase_buckets(portal.member_id, portal.domain)
            # The next installation may already be waiting.
            await pending_queries.hurry(portal.member_id, now)
            await self.note_overwriting()
            await self._news.notify(self._database, [portal.id])
        log.info("uninstalled", portal_id=portal.id, erase_at=erase_at)
        return True

    async def _lock_if_same(self, portal: Portal) -> queries.Row | None:
        """The portal's row, locked; None if it has another installation or pair than `portal`."""
        row = await queries.lock_row(portal.member_id, is_sqlite=self._database.is_sqlite)
        return row if row is not None and _is_same_installation(row, portal) else None

    async def erase_at_once(self, portal_id: int, generation: int) -> None:
        """Erase the people, and all else that goes at once, of an installation that has ended, unless another
        one has begun.

        An interrupted run can be repeated.
        """
        await self._erase_steps(portal_id)
        await self.note_overwriting()
        await uninstall_queries.drop_check(portal_id, generation)

    async def _erase_steps(self, portal_id: int) -> None:
        for erase_some in self._erasers.at_once:
            while await self._erase_step(portal_id, erase_some):
                pass

    async def _erase_step(self, portal_id: int, erase_some: EraseSome) -> bool:
        async with self._database.patient_transaction():
            return await hold_uninstalled(portal_id, self._database) and await erase_some(portal_id)

    async def finish(self, portal_id: int) -> None:
        """Do the rest after `uninstall`, down to the bytes; an interrupted run can be repeated."""
        await self.erase_if_due(portal_id)
        await self.sweep()

    async def erase_if_due(self, portal_id: int) -> None:
        """Erase the calls of an uninstalled portal, and then its row, if their time has come."""
        portal = await queries.get_portal(portal_id)
        if portal is not None and not portal.is_installed and (portal.erase_at or 0) <= self._clock.now():
            await self._erase_calls(portal)

    async def _erase_calls(self, portal: Portal) -> None:
        """Erase the calls, and then the row if nothing is left.

        The row loses its `member_id` first. A reinstallation then begins a new tenant, whose calls this
        erasure does not touch. The erasers for "at once" run again, because a late write may have come.
        """
        await self._erase_exchanges()
        async with self._database.transaction():
            if not await queries.bury(portal.id):
                return  # It was installed again: the calls belong to the new installation.
            await erase_exchanges(portal.member_id)
            await erase_buckets(portal.member_id, portal.domain)
        await self._erase_steps(portal.id)
        are_done = [await erase(portal.id) for erase in self._erasers.with_calls]
        async with self._database.transaction():
            # If something is left, the row stays and is due, so that the next run finds it.
            if all(are_done):
                await queries.delete_buried(portal.id)
            await self.note_overwriting()

    async def forget(self, portal: Portal) -> None:
        """Erase a portal and all its data now, at the vendor's word."""
        current: Portal | None = portal
        await self._tombstones.forget(portal.member_id)
        while current is not None and current.is_installed:
            if await self.uninstall(current, Calls.ERASED):
                break
            current = await queries.get_portal(portal.id)  # A refresh or installation came in between.
            await self._tombstones.forget(portal.member_id)
        await pending_queries.erase_pending(portal.member_id)
        await self._erase_calls(portal)
        await self.sweep()

    async def sweep(self) -> None:
        """After erasures: empty the request log of uninstalled portals, and overwrite the deleted bytes.

        While an outside process reads the database, the overwriting is impossible and stays due.
        """
        due = await read_fact(OVERWRITE_DUE)
        if due is None:
            return
        await self._erase_exchanges()
        if await self._database.overwrite_deleted():
            await delete_fact(OVERWRITE_DUE, due)

    async def _erase_exchanges(self) -> None:
        while await erase_some_uninstalled_exchanges():
            pass

    async def note_overwriting(self) -> None:
        """Let `sweep` overwrite the deleted bytes. The stored value differs each time, so that an overwriting
        that is under way does not count for a later erasure.
        """
        await write_fact(OVERWRITE_DUE, uuid.uuid4().hex, self._clock.now())


def _is_same_installation(row: queries.Row, portal: Portal) -> bool:
    """Whether the row still has the installation and the pair of `portal`."""
    return bool(
        row["state"] == "installed"
        and row["generation"] == portal.generation
        and row["token_version"] == portal.token_version
    )
