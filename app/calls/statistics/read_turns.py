"""Reading the statistics of all portals: which portal's turn it is, how long it lasts, and how it goes on
after a failure.

A history is read in the background, newest rows first. One process at a time reads a portal, for a minute, by
a lease in the mark. The mark moves only over rows that are stored, so a crash costs at most one batch, which
is read again.
"""

import asyncio

import structlog

from app.bitrix24.errors import BitrixError
from app.calls.space.destination import Destination
from app.calls.space.room import Room
from app.calls.statistics.audit import Audit
from app.calls.statistics.fetch.batch_reader import OUT_OF_TIME, BatchReader
from app.calls.statistics.fetch.range_requests import StatisticsAccess, StatisticsRefusedError
from app.calls.statistics.fetch.turn_share import LONGEST_TURN_S, SLICE_S, Share
from app.calls.statistics.forward_read import Attempt, PortalRestsError, SyncResult, read_forward
from app.calls.statistics.history import Slice, begin_history
from app.calls.statistics.progress.mark_queries import (
    change_leased,
    ensure_mark,
    find_mark,
    list_due_histories,
    note_failure,
    take_history_lease,
)
from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.progress.pace import FIRST_PAGES, OPERATING_WINDOW_S
from app.calls.statistics.progress.read_lease import LEASE_S, ReadLease
from app.calls.statistics.progress.read_schedule import is_full_due
from app.kit.clock import Clock
from app.kit.fairness.query_turns import QueryTooSlowError
from app.kit.fairness.turns import Kind, PortalTurns
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.model import Portal
from app.portals.news import Changes
from app.portals.outbound.access import ACCESS_FAILURES, PortalNotConnectedError, PortalPausedError
from app.portals.settings.quotas import QuotaReached
from app.portals.states.checkup_queries import want_soon

log = structlog.get_logger(__name__)
FIRST_DELAY_S = 15
LONGEST_DELAY_S = 6 * 3600
STALE_S = 60
MOST_FAILURES = 4  # Then the history counts as failed, though it is tried again.
UNEXPECTED = "internal_error"
# Each history writes all the time, so more than two at once would not be quicker. A turn is a long one only
# if it takes longer than a slice together with the batch that ends it. After ten seconds a turn makes way for
# one that waits, so that a new portal need not wait while endless histories hold all places.
HISTORY = Kind(name="history", places=2, usual_s=SLICE_S + 15, spared_s=10.0, longest_s=LONGEST_TURN_S)
MOST_DUE = 500  # Ids at once: those that have waited longest.
FAILURES = (*ACCESS_FAILURES, StatisticsRefusedError, QuotaReached, QueryTooSlowError)


class Histories:
    """Reads histories in slices, and the statistics of any portal forward to their end."""

    def __init__(
        self,
        access: StatisticsAccess,
        database: Database,
        clock: Clock,
        changes: Changes,
        room: Room | None = None,
    ) -> None:
        self.access = access
        self._database = database
        self._clock = clock
        self._changes = changes
        self._room = room or Room(database, clock)
        self.is_stopping = False

    def stop(self) -> None:
        """Let slices and reads end after their present request."""
        self.is_stopping = True

    async def read_due(self, turns: PortalTurns) -> None:
        """Begin a slice for each portal whose history is not whole, longest waiting first."""
        turns.begin_all(HISTORY, await list_due_histories(self._clock.now(), MOST_DUE), self._take_turn)

    async def _take_turn(self, portal_id: int) -> None:
        portal = await queries.get_portal(portal_id)
        if portal is not None and not self.is_stopping:
            await self.run_slice(portal)

    async def run_slice(
        self, portal: Portal, *, is_forced: bool = False, is_bounded: bool = True
    ) -> Mark | None:
        """Read the history for a turn's share; the mark afterwards. None when the history is whole or not due
        yet, and when another process has the lease or took it over.

        After a failure, which the mark notes, the portal is asked again later; `is_forced`: without that
        wait. Without `is_bounded` the read has no share: it goes on to the end, however long that takes.
        """
        mark = await self._find_mark(portal)
        if mark is None or mark.history_state == "complete":
            return None
        # The clock is asked only now, because a mark that `_find_mark` has just made is not due any earlier.
        now = self._clock.now()
        mark = await take_history_lease(portal.id, portal.generation, now, now + LEASE_S, is_forced=is_forced)
        if mark is None:
            return None
        reader = self._open_reader(portal, mark.batch_pages)
        part = Slice(reader, self._clock, mark, self._tell)
        try:
            await self._room.admit_read(portal.id)
            await part.read(self._open_share(is_bounded=is_bounded))
        except asyncio.CancelledError:  # Its turn is over: the batch that was under way is read again.
            cut = {"claimed_until": 0, "next_at": self._clock.now() + FIRST_DELAY_S}
            await note_failure(portal.id, part.last, cut | {"batch_pages": part.last.fewer_pages})
            raise
        except Exception as failure:
            log.warning("history not read", portal_id=portal.id, code=code_of(failure))
            changes = self._after(failure, part.last)
            noted = await note_failure(portal.id, part.last, changes)
            await self._tell(portal.id)
            if not isinstance(failure, FAILURES):  # An unexpected failure must not hold the lease either.
                raise
            return noted
        if part.mark is None:
            return None
        done = await self._give_back(part.mark)
        if done is not None and done.history_state == "complete":
            await self._conclude(portal, done, reader)
            done = await find_mark(portal.id, portal.generation)
        return done

    async def catch_up(
        self,
        portal: Portal,
        *,
        is_full: bool | None = None,
        lease: ReadLease | None = None,
        is_bounded: bool = True,
    ) -> SyncResult:
        """Read the statistics forward to their end, or begin their history where it has not begun; return a
        summary of the read.

        `is_full`: whether the read goes back 30 days (None: it does so once a day). Each batch renews the
        `lease`. Raises the errors of PortalAccess, StatisticsRefusedError and LeaseLostError;
        PortalRestsError when the read stops before the end, because the portal must rest, this process ends,
        or (only if `is_bounded`) the turn's share is used up; PortalNotConnectedError also when the portal
        was uninstalled or installed again meanwhile. Raises QuotaReached where there is no room, because a
        read without room could not store all rows, and so could not say up to when the log is complete.
        """
        await self._room.admit_read(portal.id)
        mark = await self._find_mark(portal)
        if mark is not None:
            if is_full is None:
                is_full = is_full_due(mark.full_read_at, portal.access_expires_at, self._clock.now())
            reader = self._open_reader(portal, min(mark.batch_pages, FIRST_PAGES))
            share = self._open_share(is_bounded=is_bounded)
            moved = await self._read_to_end(reader, mark, Attempt(is_full, lease, share))
            if moved is not None:
                await self._tell(portal.id)  # At least "complete up to" has changed.
                if mark.has_begun and reader.inserted:  # No event told of these: is the event still bound?
                    await want_soon(portal.id, portal.generation, self._clock.now())
                return SyncResult(
                    history=moved.history_state,
                    complete_up_to=moved.complete_up_to,
                    rows=reader.rows,
                    calls_inserted=reader.inserted,
                    calls_changed=reader.changed,
                    undecodable=reader.undecodable,
                )
        raise PortalNotConnectedError("the portal was uninstalled or installed again meanwhile")

    async def _read_to_end(self, reader: BatchReader, mark: Mark, attempt: Attempt) -> Mark | None:
        if not mark.has_begun:
            begun = await begin_history(reader, mark, self._clock.now())
            if begun is None or begun.history_state != "complete":
                return begun
            await Audit(reader, begun, self._clock, attempt.share).run()
            return await find_mark(mark.portal_id, mark.generation)
        return await read_forward(reader, mark, self._clock, attempt)

    async def _conclude(self, portal: Portal, mark: Mark, reader: BatchReader) -> None:
        """After a history: compare the portal's count with the stored rows; after a long one, first read the
        calls that have come since it began.
        """
        last_began_at = reader.last_began_at
        is_fresh = last_began_at is None or last_began_at - (mark.read_up_to or last_began_at) < STALE_S
        try:
            if is_fresh:
                await Audit(reader, mark, self._clock, self._open_share()).run()
                await self._tell(portal.id)
            else:
                await self.catch_up(portal)
        except PortalRestsError as rest:
            log.info("statistics are read on later", portal_id=portal.id, rest_s=rest.rest_s)
        except FAILURES as failure:
            log.warning("statistics not read", portal_id=portal.id, code=code_of(failure))

    async def _find_mark(self, portal: Portal) -> Mark | None:
        """The mark of this installation and of its token's owner, made when there is none; None when the
        portal has another installation or owner by now.

        Each owner has a mark of their own, because another owner has other rights and may see other rows.
        """
        mark = await find_mark(portal.id, portal.generation)
        owner_id = portal.token_user_id or 0
        if (mark is None or mark.token_user_id != owner_id) and await ensure_mark(
            self._database, portal.id, portal.generation, self._clock.now()
        ):
            mark = await find_mark(portal.id, portal.generation)
        return mark if mark is not None and mark.token_user_id == owner_id else None

    def _open_reader(self, portal: Portal, pages: int) -> BatchReader:
        return BatchReader(self.access, self._clock, portal, self.destination_of(portal), pages)

    def _open_share(self, *, is_bounded: bool = True) -> Share:
        return Share(self._clock, lambda: self.is_stopping, is_bounded=is_bounded)

    def destination_of(self, portal: Portal) -> Destination:
        """The place where a read of this portal writes."""
        return Destination(
            database=self._database,
            changes=self._changes,
            portal_id=portal.id,
            generation=portal.generation,
            room=self._room,
        )

    async def _give_back(self, mark: Mark) -> Mark | None:
        """End the lease; the mark afterwards, or None when another process has taken the lease over."""
        free = {"claimed_until": 0}
        given = await change_leased(mark.portal_id, mark.generation, mark.claimed_until, free)
        await self._tell(mark.portal_id)
        return given

    async def _tell(self, portal_id: int) -> None:
        """Have open pages of all processes look again."""
        await self._changes.notify(self._database, [portal_id])
        self._changes.announce(portal_id)

    def _after(self, failure: Exception, mark: Mark) -> dict[str, object]:
        """The mark's changes after a failure: when to go on, how many pages, and whether it is failed."""
        now, code = self._clock.now(), code_of(failure)
        if isinstance(failure, PortalNotConnectedError | PortalPausedError):
            return {"claimed_until": 0, "next_at": now + FIRST_DELAY_S}
        if isinstance(failure, QuotaReached):
            return {"claimed_until": 0, "next_at": now + failure.retry_after_s, "failure_code": code}
        if code == OUT_OF_TIME:
            return {"claimed_until": 0, "next_at": now + OPERATING_WINDOW_S}
        failures = mark.failures + 1
        is_lasting = isinstance(failure, BitrixError | StatisticsRefusedError)
        is_failed = mark.history_state == "failed" or is_lasting or failures >= MOST_FAILURES
        return {
            "claimed_until": 0,
            "next_at": now + min(FIRST_DELAY_S * 2 ** min(failures, 20), LONGEST_DELAY_S),
            "failures": failures,
            "failure_code": code,
            "batch_pages": mark.fewer_pages,
            "history_state": "failed" if is_failed else mark.history_state,
        }


def code_of(failure: Exception) -> str:
    """The failure's code for the vendor: Bitrix24's own where it has one."""
    if isinstance(failure, PortalNotConnectedError):
        return "not_connected"
    return str(getattr(failure, "code", "unreachable")) if isinstance(failure, FAILURES) else UNEXPECTED
