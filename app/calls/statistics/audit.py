"""Comparing the portal's own count of its statistics with the stored rows, and finding where they differ.

Each day one request counts the ids in twenty parts. Another request reads a slice of old rows again, the next
slice each day, because counts hide a changed row. They also hide a removed row if another row was added to
the same part. A part that differs is counted in smaller parts until one request can read it. Rows that were
missing are stored; stored rows that the pages lack are noted.
"""

from collections.abc import Sequence

import structlog

from app.calls.statistics.audit_queries import (
    count_stored,
    find_newest_stored,
    has_lacked,
    has_rows,
    list_stored,
)
from app.calls.statistics.audit_search import (
    PARTS,
    Counts,
    Search,
    Task,
    begin_walk,
    cut,
    decode_search,
    plan_parts,
    plan_slice,
    refine,
    spread,
    sweep_around,
    walk_on,
)
from app.calls.statistics.fetch.batch_reader import BatchReader
from app.calls.statistics.fetch.merge import note_lacked
from app.calls.statistics.fetch.turn_share import Share
from app.calls.statistics.lacked_rows import judge_lacked
from app.calls.statistics.progress.evidence_queries import want_reads
from app.calls.statistics.progress.mark_queries import change_mark, lower_mark
from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.progress.plan import Plan, Range, fitting_width
from app.calls.statistics.progress.read_schedule import LONGEST_DELAY_S, plan_delay
from app.kit.clock import Clock
from app.portals.settings.settings_queries import find_settings

log = structlog.get_logger(__name__)
# A turn ends when it has made more counts than this. Each range in which it has read rows allows it one count
# more. In a portal of a million rows it takes three counts to find the place of a difference. Without this
# bound, a portal that counts every part wrongly would be counted for ever.
MOST_COUNTS = 50


def is_audit_due(mark: Mark, now: int, *, is_full: bool) -> bool:
    """Whether to compare after a read: after the day's full one; and after every read while anything is in
    doubt or a search is not at its end, except in the wait after a failure.
    """
    is_in_doubt = mark.audited_at is None or mark.unequal_since is not None or mark.is_suspicious
    is_resting = now < mark.audit_next_at <= now + LONGEST_DELAY_S
    return is_full or (not is_resting and (is_in_doubt or bool(mark.audit_state)))


class Audit:
    """One turn of a comparison. It follows a read, and uses the reader and the rest of the share of that
    read.

    `shown_id`: the highest id that the portal showed when the audit asked for it (0: it showed none; None:
    the audit did not ask).
    """

    def __init__(
        self, reader: BatchReader, mark: Mark, clock: Clock, share: Share, read_from: int = 1
    ) -> None:
        """`read_from`: the read before the comparison has read all ids from this one up, so no row with such
        an id is missing.
        """
        self._reader = reader
        self._mark = mark
        self._clock = clock
        self._share = share
        self._read_from = read_from
        self._high_id = max(mark.high_id, reader.high_id)
        self._search: Search | None = decode_search(mark.audit_state)
        self._since = 0
        self._counted = 0
        self.shown_id: int | None = None

    @property
    def _portal_id(self) -> int:
        return self._mark.portal_id

    async def run(self) -> None:
        """Compare, and repair the differences, as far as this turn allows; the result stands in the mark.

        Raises the reader's errors; then a later turn goes on from there, after a wait that grows each time.
        """
        self._since = (await find_settings(self._portal_id)).kept_from(self._clock.now()) or 0
        try:
            if self._search is None or (self._mark.is_suspicious and not self._search.is_suspicious):
                self._search = await self._begin()
            await self._work(self._search)
            if not self._search.tasks:
                await judge_lacked(self._reader, self._share, self._clock.now())
                await self._conclude(self._search)
                return
        except Exception:
            await self._put_off(is_failing=True)
            raise
        await self._put_off(is_failing=self._counted > MOST_COUNTS)

    async def _begin(self) -> Search:
        """A new search: the portal's counts, and the ranges to look at. These are the next slice
        of old rows, the ranges whose counts differ, and those with ids that may belong to other calls now.
        """
        tasks, is_suspicious = await self._suspect() if self._mark.is_suspicious else ([], False)
        self._high_id = max(self._high_id, await find_newest_stored(self._portal_id), 1)
        parts = plan_parts(self._high_id, self._read_from)
        counts = await self._count(parts)
        stored = await self._count_stored(parts)
        unequal = refine(Task("count", 1, self._high_id), parts, counts, stored)
        offset = _sum_up(counts, stored)
        if unequal and (not offset or offset != self._mark.audit_offset):
            await self._note({"unequal_since": self._mark.unequal_since or self._clock.now()})
        width = fitting_width(self._high_id, sum(stored))
        old = plan_slice(self._mark.audit_slice_id, self._read_from, width)
        slice_id = min((task.low for task in old), default=0)
        return Search(
            parts=parts,
            counts=counts,
            tasks=[*old, *unequal, *tasks],
            is_suspicious=is_suspicious,
            slice_id=slice_id,
        )

    async def _work(self, search: Search) -> None:
        """Do one task after the other until the turn ends, and keep the rest."""
        while search.tasks and not self._is_over():
            await self._note({"audit_state": search.encode()})
            *rest, task = search.tasks
            on = await (self._refine(task) if task.kind in {"count", "sweep"} else self._read(task))
            if on is None:
                return
            search = self._search = search.with_tasks([*rest, *on])

    def _is_over(self) -> bool:
        is_fruitless = self._counted > MOST_COUNTS
        return is_fruitless or self._reader.rest_s > 0 or self._share.is_over(self._reader.rows)

    async def _count(self, parts: Sequence[Range]) -> Counts:
        self._counted += 1
        return await self._reader.count(parts, self._since)

    async def _count_stored(self, parts: Sequence[Range]) -> list[int]:
        return [await count_stored(self._portal_id, part.low, part.high, self._since) for part in parts]

    async def _refine(self, task: Task) -> list[Task]:
        pieces = cut(task.range, PARTS)
        counts: Counts = [None] * len(pieces)
        if task.kind == "count":
            counts = await self._count(pieces)
        return refine(task, pieces, counts, await self._count_stored(pieces))

    async def _read(self, task: Task) -> list[Task] | None:
        """Read a range, and note the stored rows that the portal does not show in it. Returns the tasks below
        the range, or None when the turn ends before the range is read.
        """
        known, rows = set(self._reader.taken_ids), self._reader.rows
        found = await self._read_pages(task.pages)
        if found is None:
            return None
        self._counted -= self._reader.rows > rows
        lacked = await list_stored(self._portal_id, task.low, task.high, self._since) - found
        await note_lacked(self._reader.destination, lacked, self._clock.now())
        is_taken = bool(self._reader.taken_ids - known)
        return walk_on(task) if is_taken and task.kind == "read" else []

    async def _read_pages(self, pages: Sequence[Range]) -> set[int] | None:
        plan, found = Plan.of(pages), set[int]()
        while not plan.is_complete:
            await self._reader.read_batch(plan, found)
            if self._is_over():
                break
        return found if plan.is_complete else None

    async def _suspect(self) -> tuple[list[Task], bool]:
        """The tasks for ids that may belong to other calls now, and True if they cover all such ids; False
        if the portal shows no row, though some are stored.

        There is a task below the suspected ids, and one below the ids that the last read has read. Then pages
        from all over the statistics are read as samples. If an id on a page belongs to another call now, the
        ids on both sides of that page, up to the next samples, become tasks too.
        """
        newest, lowest = await self._reader.read_ends()
        self.shown_id = newest[0] if newest else 0
        if not newest:
            return [], not await has_rows(self._portal_id)
        if newest[0] < self._high_id:
            beyond = await list_stored(self._portal_id, newest[0] + 1, self._high_id, 0)
            await note_lacked(self._reader.destination, beyond, self._clock.now())
            self._high_id = newest[0]
            await lower_mark(self._portal_id, self._mark, self._high_id)
        known = set(self._reader.taken_ids)
        samples = spread(lowest, self._high_id)
        await self._read_pages(samples)
        starts = {self._read_from, min(self._mark.suspected_from or self._read_from, self._read_from)}
        walks = [task for start in sorted(starts) for task in begin_walk(start)]
        return [*walks, *sweep_around(samples, self._reader.taken_ids - known)], True

    async def _conclude(self, search: Search) -> None:
        """Note that the counts agree, or else that the comparison is to be done again later.

        Different counts are accepted if every difference has been looked at and no row is lacked: then the
        portal counts something that is no row. They are not accepted if the portal's count has changed since
        the search began, because the owner's rights may have changed.
        """
        counts, stored = search.counts, await self._count_stored(search.parts)
        is_ours = counts == stored
        if not is_ours and (await self._count(search.parts) != counts or await has_lacked(self._portal_id)):
            await self._note({"unequal_since": self._mark.unequal_since or self._clock.now()})
            self._search = None
            await self._put_off(is_failing=True)
            return
        offset = _sum_up(counts, stored)
        if not is_ours:
            log.warning("the portal counts otherwise", portal_id=self._portal_id, offset=offset)
        agreed: dict[str, object] = {
            "audited_at": self._clock.now(),
            "unequal_since": None,
            "audit_offset": offset,
            "audit_state": "",
            "audit_tries": 0,
            "audit_next_at": 0,
            "audit_slice_id": search.slice_id,
        }
        await self._note(agreed | ({"suspected_from": None} if search.is_suspicious else {}))

    async def _put_off(self, *, is_failing: bool) -> None:
        """Leave the rest of the comparison to a later read: soon if only the turn was over; after a failure,
        with a wait that grows each time.
        """
        tries = self._mark.audit_tries + 1 if is_failing else 0
        next_at = self._clock.now() + (plan_delay(tries) if is_failing else max(self._reader.rest_s, 1))
        search = self._search
        if search is not None and is_failing:  # Another task goes first: only this one may be failing.
            search = search.with_tasks([*search.tasks[-1:], *search.tasks[:-1]])
        changes: dict[str, object] = {
            "audit_state": search.encode() if search is not None and search.tasks else "",
            "audit_tries": tries,
            "audit_next_at": next_at,
        }
        await self._note(changes)
        await want_reads(self._reader.destination.database, {self._portal_id}, next_at)

    async def _note(self, changes: dict[str, object]) -> None:
        await change_mark(self._portal_id, self._mark, changes)


def _sum_up(counts: Counts, stored: Sequence[int]) -> int:
    return sum(count - n for count, n in zip(counts, stored, strict=True) if count is not None)
