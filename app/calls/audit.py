"""Comparing the portal's own count of its statistics with what is stored, and finding where they differ.

One request tells how many rows there are up to the mark. Where that is another number than ours, ranges are
counted in parts until a part fits a page, which is read: what was missing is stored, and what the page lacks
is noted. A row counts as deleted only if the same owner's token is shown rows of the same user with lower and
with higher ids; else the owner's rights are the cause, and nothing goes.
"""

from collections.abc import Sequence

from app.calls.asking import StatisticsRefusedError
from app.calls.audit_queries import count_stored, list_lacked, list_stored
from app.calls.batches import BatchReader
from app.calls.mark_queries import lower_mark, note_audit, reread_history
from app.calls.marks import Mark
from app.calls.plan import PAGE_ROWS, Range
from app.calls.share import Share
from app.calls.sync_writes import note_gone, note_lacked
from app.kit.clock import Clock
from app.portals.settings_queries import find_settings

PARTS = 20  # Counts in one request: each brings a page of rows along.
SAMPLES = 50
USERS_A_REQUEST = 25


def is_audit_due(mark: Mark, *, is_full: bool) -> bool:
    """Whether to compare after a read that nothing was wrong with: the day's full one, or until equal."""
    return is_full or mark.audited_at is None or mark.unequal_since is not None


class Audit:
    """One comparison, by the reader of the read before it and within that turn's share."""

    def __init__(
        self, reader: BatchReader, mark: Mark, clock: Clock, share: Share, read_from: int = 1
    ) -> None:
        """`read_from`: all ids from there up have just been read, so none of their rows is missing."""
        self._reader = reader
        self._mark = mark
        self._clock = clock
        self._share = share
        self._high_id = max(mark.high_id, reader.high_id)
        self._read_from = read_from
        self._since = 0

    @property
    def _portal_id(self) -> int:
        return self._mark.portal_id

    async def run(self, *, is_suspicious: bool) -> bool:
        """Compare, and mend what differs; False while that is not finished, and nothing may be promised.

        `is_suspicious`: ids may have been given anew. Raises what the reader raises.
        """
        self._since = (await find_settings(self._portal_id)).kept_from(self._clock.now()) or 0
        if is_suspicious and await self._find_given_anew():
            return False
        await self._judge_lacked()
        parts = self._halves
        counts = await self._count(parts)
        total = sum(counts)
        surplus = [n - await self._count_stored(part) for part, n in zip(parts, counts, strict=True)]
        if sum(surplus) == self._mark.audit_offset and (self._mark.audit_offset or not any(surplus)):
            await note_audit(self._portal_id, self._mark, self._clock.now(), self._mark.audit_offset)
            return True
        await note_audit(
            self._portal_id, self._mark, None, self._mark.audit_offset, unequal_since=self._clock.now()
        )
        if not await self._search(total):
            return False
        await self._judge_lacked()
        # Every part that differs has been read, so whatever the count still says besides is no row of ours.
        offset = total - await self._count_stored(self._whole)
        await note_audit(self._portal_id, self._mark, self._clock.now(), offset)
        return True

    @property
    def _whole(self) -> Range:
        return Range(1, max(self._high_id, 1))

    @property
    def _halves(self) -> list[Range]:
        """What was not read just now and what was, each counted by itself: a row that is missing from the one
        and one that is gone from the other would add up to nothing.
        """
        whole = self._whole
        if not whole.low < self._read_from <= whole.high:
            return [whole]
        return [Range(whole.low, self._read_from - 1), Range(self._read_from, whole.high)]

    async def _count(self, parts: Sequence[Range]) -> list[int]:
        counts = await self._reader.count(parts, self._since)
        return [_known(count) for count in counts]

    async def _count_stored(self, part: Range) -> int:
        return await count_stored(self._portal_id, part.low, part.high, self._since)

    async def _search(self, total: int) -> bool:
        """Read every page on which the two differ; False when the turn ends before."""
        waiting = [(self._whole, total)]
        while waiting:
            if self._share.is_over(self._reader.rows):
                return False
            pages = [part for part, count in waiting if _is_page(part, count)][: self._reader.pages]
            if pages:
                rest = await self._compare(pages)
                waiting = [one for one in waiting if one[0] not in pages] + [(part, 0) for part in rest]
                continue
            wide = [part for part, _ in waiting]
            asked = wide[: PARTS // 2]
            parts = [piece for part in asked for piece in cut(part, PARTS // len(asked))]
            found = zip(parts, await self._count(parts), strict=True)
            unequal = [(part, n) for part, n in found if n != await self._count_stored(part)]
            waiting = unequal + waiting[len(asked) :]
        return True

    async def _compare(self, parts: Sequence[Range]) -> list[Range]:
        """Read these pages and note what each lacks; what a full page left over is given back."""
        rest: list[Range] = []
        lacked: set[int] = set()
        read = await self._reader.read_ranges(parts)
        if all(ids is None for ids in read.values()):
            raise StatisticsRefusedError("no_answer")  # Else they would be asked for again and again.
        for part, ids in read.items():
            if ids is None:
                rest.append(part)
                continue
            end = part.high
            if len(ids) >= PAGE_ROWS and ids[-1] < part.high:
                end = ids[-1]
                rest.append(Range(end + 1, part.high))
            lacked |= await list_stored(self._portal_id, part.low, end, self._since) - set(ids)
        await note_lacked(self._reader.installation, lacked, self._clock.now())
        return rest

    async def _judge_lacked(self) -> None:
        """Tell rows that were deleted from those that the owner of our token may not see."""
        lacked = await list_lacked(self._portal_id)
        users = sorted(set(lacked.values()), key=lambda user: user or 0)[:USERS_A_REQUEST]
        if not users:
            return
        ends = await self._reader.find_ends(users)
        gone = [
            one
            for one, user in lacked.items()
            if (found := ends.get(user)) is not None and found[0] < one < found[1]
        ]
        await note_gone(self._reader.installation, gone, self._clock.now())

    async def _find_given_anew(self) -> bool:
        """Whether ids that are stored are other calls' by now, beyond what was read: then from the first of
        them the statistics are read anew.
        """
        newest, lowest = await self._reader.read_ends()
        if newest and newest[0] < self._high_id:
            beyond = await list_stored(self._portal_id, newest[0] + 1, self._high_id, 0)
            await note_lacked(self._reader.installation, beyond, self._clock.now())
            self._high_id = newest[0]
            await lower_mark(self._portal_id, self._mark, self._high_id)
        samples = spread(lowest, self._high_id)
        read = await self._reader.read_ranges(samples)
        changed = [any(one in self._reader.taken_ids for one in ids or ()) for ids in read.values()]
        if True not in changed or len(samples) * PAGE_ROWS > self._high_id - lowest:
            return False
        before = samples[max(changed.index(True) - 1, 0)]
        await reread_history(self._portal_id, self._mark, before.low, self._high_id, self._clock.now())
        return True


def _is_page(part: Range, count: int) -> bool:
    """Whether a range is read and not counted in parts: a portal may count more rows than ids."""
    return count <= PAGE_ROWS or part.high - part.low < PAGE_ROWS


def cut(part: Range, pieces: int) -> list[Range]:
    """The range in at most so many pieces of about the same width, two at least."""
    width = max(1, -(-(part.high - part.low + 1) // max(2, pieces)))
    return [Range(low, min(part.high, low + width - 1)) for low in range(part.low, part.high + 1, width)]


def spread(low: int, high: int) -> list[Range]:
    """At most 50 pages' ranges, ascending: all of them where they are so few, else evenly spread."""
    pages = range(low, high + 1, PAGE_ROWS)
    step = max(1, len(pages) // (SAMPLES - 1)) if len(pages) > SAMPLES else 1
    return [Range(page, min(page + PAGE_ROWS - 1, high)) for page in pages[::step]][:SAMPLES]


def _known(count: int | None) -> int:
    if count is None:
        raise StatisticsRefusedError("no_total")
    return count
