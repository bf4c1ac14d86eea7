"""Which ids of a portal's statistics to ask for next, newest first. Pure.

The ids belong to one portal and are nearly gapless, so a range of 50 ids is a page that depends on no other
page: pages can be read in any order and repeated exactly. Where ids are sparse, ranges widen by the measured
density. When a page comes back full, the rest of its range is read too.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil

import msgspec

PAGE_ROWS = 50
FILL = 0.85  # Ranges of sparse ids are made to fill this part of a page: a full page costs a second command.
WIDEN_BY = 8  # The most that ranges widen between two batches: a gap says little about later ids.
MOST_PIECES = 49
BEHIND_IDS = 200
OPEN = 2**62  # The end of a range that has no end.
OPEN_PIECES = 20


class Range(msgspec.Struct, frozen=True):
    """The ids of one command, both ends included; `tries` counts the failed answers before."""

    low: int
    high: int
    tries: int = 0


class Progress(msgspec.Struct, frozen=True):
    """All ids from `low_id` up are read. `rows`: how many rows lie between this `low_id` and the one of the
    last progress.
    """

    low_id: int
    rows: int


class Plan:
    """The ids from `bottom_id` to below `low_id`, as ranges; a command covers `width` ids.

    `is_open`: also all ids from `low_id` up, however many there are by now. They go first, together with the
    200 below them, where the portal may have shown rows late. `resume_at`: an earlier attempt has read the
    ids from `resume_at` up to the ids that go first.
    """

    def __init__(
        self,
        bottom_id: int,
        low_id: int,
        width: int = PAGE_ROWS,
        *,
        is_open: bool = False,
        resume_at: int | None = None,
    ) -> None:
        self._open_from = max(bottom_id, low_id - BEHIND_IDS) if is_open else low_id
        self.low_id = self._open_from if resume_at is None else min(self._open_from, resume_at)
        self.width = max(PAGE_ROWS, width)
        self._bottom_id = bottom_id
        self._frontier = self.low_id - 1  # The highest id that has never been asked for.
        self._is_open = is_open
        self._pending = _split_open(self._open_from, low_id) if is_open else []
        # The ranges that are read, by highest id: the lowest id, and how many rows.
        self._read: dict[int, tuple[int, int]] = {}

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> "Plan":
        """A plan of these ranges and no others."""
        plan = cls(1, 1)
        plan.put_back(ranges)
        return plan

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to ask for, once all taken ranges have been settled."""
        return not self._pending and self._frontier < self._bottom_id

    @property
    def read_to(self) -> int:
        """In an open plan, the id up to which the ranges that go first are read without a gap."""
        return min((one.low for one in self._pending if one.low >= self._open_from), default=OPEN) - 1

    @property
    def most_tries(self) -> int:
        """The most failures of any waiting range."""
        return max((waiting.tries for waiting in self._pending), default=0)

    def take(self, count: int) -> list[Range]:
        """At most `count` ranges for one batch: those that wait, then those that were never asked for.

        Waiting ranges go newest first; in an open plan oldest first, so that `read_to` rises steadily. The
        caller gives every range back to `settle`, `split` or `put_back`.
        """
        self._pending.sort(key=lambda waiting: waiting.high, reverse=self._is_open)
        taken = [self._pending.pop() for _ in range(min(count, len(self._pending)))]
        while len(taken) < count and self._frontier >= self._bottom_id:
            low = max(self._bottom_id, self._frontier - self.width + 1)
            taken.append(Range(low, self._frontier))
            self._frontier = low - 1
        return taken

    def split(self, asked: Range) -> bool:
        """Ask for the halves of a range whose answer is too large; False for a range of a single id.

        A range without an end is cut after as many ids as a page is expected to hold.
        """
        if asked.low == asked.high:
            return False
        middle = (asked.low + asked.high) // 2
        if asked.high == OPEN:
            middle = min(middle, asked.low + self.width - 1)
        self._pending += [Range(asked.low, middle), Range(middle + 1, asked.high)]
        return True

    def put_back(self, taken: Iterable[Range]) -> None:
        """Ask for these ranges again: they were not answered."""
        self._pending += taken

    def settle(self, answers: Mapping[Range, Sequence[int] | None]) -> Progress:
        """Take in the ids of the rows of each range, ascending (None: it failed); return how far all is read.

        Call it when the rows are stored: after a crash the mark relies on this progress.
        """
        covered = rows = 0
        for asked, ids in answers.items():
            if ids is None:
                self._pending.append(Range(asked.low, asked.high, asked.tries + 1))
                continue
            is_cut = len(ids) >= PAGE_ROWS and ids[-1] < asked.high
            end = ids[-1] if is_cut else asked.high
            if is_cut:
                self._pending += split_rest(Range(end + 1, asked.high), ids)
            if asked.high < self.low_id:
                self._read[end] = (asked.low, len(ids))
                covered, rows = covered + end - asked.low + 1, rows + len(ids)
        if covered:
            self.width = min(self.width * WIDEN_BY, fitting_width(covered, rows))
        return self._advance()

    def _advance(self) -> Progress:
        rows = 0
        while (found := self._read.pop(self.low_id - 1, None)) is not None:
            self.low_id = found[0]
            rows += found[1]
        return Progress(self.low_id, rows)


def fitting_width(covered: int, rows: int) -> int:
    """How many ids a command should cover where `covered` ids held `rows` rows."""
    return max(PAGE_ROWS, int(min(OPEN, FILL * PAGE_ROWS * covered / max(rows, 1))))


def _split_open(low: int, open_from: int) -> list[Range]:
    pages = [Range(page, min(page + PAGE_ROWS, open_from) - 1) for page in range(low, open_from, PAGE_ROWS)]
    return [*pages, Range(open_from, OPEN)]


def split_rest(rest: Range, ids: Sequence[int]) -> list[Range]:
    """The ids that a full page left over, in pieces that are a page each if the rows stay as dense.

    There are at most 49 pieces: where the rest is very wide, the pieces are wider than that. If a piece comes
    back as a full page, its own rest is cut again. A rest without an end becomes some pages and an open
    range.
    """
    width = fitting_width(ids[-1] - ids[0] + 1, len(ids))
    if rest.high == OPEN:
        lows = range(rest.low, rest.low + OPEN_PIECES * width, width)
        return [Range(low, low + width - 1) for low in lows[:-1]] + [Range(lows[-1], OPEN)]
    width = max(width, ceil((rest.high - rest.low + 1) / MOST_PIECES))
    return [Range(low, min(rest.high, low + width - 1)) for low in range(rest.low, rest.high + 1, width)]
