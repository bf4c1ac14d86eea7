"""Where the portal's statistics and ours may differ: the ranges that an audit still has to look at. Pure.

The mark keeps a search after each step, so the end of a turn, a crash or a failure costs one step.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil
from typing import Literal

import msgspec

from app.calls.statistics.progress.pace import MOST_PAGES
from app.calls.statistics.progress.plan import PAGE_ROWS, Range

PARTS = 20  # Counts in one request: each brings a page of rows along.
# The rows that one request can read. A range with no more rows is read, and not counted in parts.
BATCH_ROWS = MOST_PAGES * PAGE_ROWS
WALK_IDS = 4 * PAGE_ROWS  # The first range below ids that belong to other calls now; the next is twice that.
Counts = list[int | None]


class Task(msgspec.Struct, frozen=True):
    """A range to look at.

    `count`: count it in parts; those that differ are tasks again. `sweep`: cut it in parts; all are tasks
    again. `read`: read it page by page; if one of its ids turns out to belong to another call now, the ids
    below are a task too. `plain`: read it, and nothing below it.
    """

    kind: Literal["count", "sweep", "read", "plain"]
    low: int
    high: int

    @property
    def range(self) -> Range:
        """The ids to look at."""
        return Range(self.low, self.high)

    @property
    def pages(self) -> list[Range]:
        """Its ids in ranges of a page each, or wider ones where the rows are few."""
        return cut(self.range, min(MOST_PAGES, ceil((self.high - self.low + 1) / PAGE_ROWS)))


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison. `counts`: the portal's count of each of the `parts` when it began. `tasks`: the rest to
    look at, the last task first. `is_suspicious`: it also looks for ids that belong to other calls now.
    `slice_id`: the lowest id of the slice of old rows that it reads again.
    """

    parts: list[Range]
    counts: Counts
    tasks: list[Task]
    is_suspicious: bool = False
    slice_id: int = 0

    def with_tasks(self, tasks: Iterable[Task]) -> "Search":
        """The same comparison with these tasks left."""
        return msgspec.structs.replace(self, tasks=[*tasks])

    def encode(self) -> str:
        """The text that the mark keeps."""
        return msgspec.json.encode(self).decode()


def decode_search(text: str) -> Search | None:
    """The comparison in a mark's text; None if there is none."""
    return msgspec.json.decode(text, type=Search) if text else None


def cut(part: Range, pieces: int) -> list[Range]:
    """The range in at most `pieces` pieces of about the same width."""
    width = max(1, ceil((part.high - part.low + 1) / max(1, pieces)))
    return [Range(low, min(part.high, low + width - 1)) for low in range(part.low, part.high + 1, width)]


def plan_parts(high: int, read_from: int) -> list[Range]:
    """The ranges to count each day: nineteen parts of the ids below `read_from`, and one part of those from
    there up, which the read before has just read.

    The two are counted apart: in one part, a row that is missing below and a row that is gone above would
    cancel each other out.
    """
    below = min(read_from - 1, high)
    parts = cut(Range(1, below), PARTS - 1) if below > 0 else []
    return [*parts, Range(max(below, 0) + 1, high)] if below < high else parts


def refine(task: Task, pieces: Sequence[Range], counts: Counts, stored: Sequence[int]) -> list[Task]:
    """The tasks for those pieces of a range that are still to be looked at. `stored`: our count of each
    piece. `counts`: the portal's count, which only a task of kind `count` has.
    """
    left = []
    for piece, count, n in zip(pieces, counts, stored, strict=True):
        if task.kind == "count" and count == n:
            continue
        is_small = piece.high - piece.low < BATCH_ROWS or max(count or 0, n) <= BATCH_ROWS
        small: Literal["read", "plain"] = "read" if task.kind == "count" else "plain"
        left.append(Task(small if is_small else task.kind, piece.low, piece.high))
    return left


def walk_on(task: Task) -> list[Task]:
    """The task below a range in which ids belong to other calls now. It has twice as many ids, but no more
    than one request can read; none is left below id 1.
    """
    width = min(2 * (task.high - task.low + 1), BATCH_ROWS)
    return [Task("read", max(1, task.low - width), task.low - 1)] if task.low > 1 else []


def plan_slice(below_id: int, read_from: int, width: int) -> list[Task]:
    """The next slice of old rows, below the slice of the day before; after the lowest slice comes the highest
    again. A slice is as wide as one request can read; `width`: how many ids fill a page.
    """
    top = below_id if 1 < below_id < read_from else read_from
    return [Task("read", max(1, top - MOST_PAGES * width), top - 1)] if top > 1 else []


def begin_walk(low_id: int) -> list[Task]:
    """The first task below an id that belongs to another call now."""
    return [Task("read", max(1, low_id - WALK_IDS), low_id - 1)] if low_id > 1 else []


def spread(low: int, high: int) -> list[Range]:
    """At most 50 ranges of a page each, ascending: all pages, or evenly spread ones. The last page is always
    among them.
    """
    pages = ceil((high - low + 1) / PAGE_ROWS)
    step = PAGE_ROWS * max(1, ceil(pages / MOST_PAGES))
    lows = [top - PAGE_ROWS + 1 for top in range(high, low - 1, -step)]
    return [Range(max(low, one), one + PAGE_ROWS - 1) for one in reversed(lows)]


def sweep_around(samples: Sequence[Range], taken_ids: Iterable[int]) -> list[Task]:
    """The tasks around each sample with ids that belong to other calls now: from the sample before it to the
    one after it.
    """
    taken = [*taken_ids]
    hit = [any(one.low <= taken_id <= one.high for taken_id in taken) for one in samples]
    gaps = [
        Range(one.high + 1, after.low - 1)
        for (one, after), is_hit in zip(pairwise(samples), map(any, pairwise(hit)), strict=True)
        if is_hit and one.high + 1 < after.low
    ]
    return [Task("sweep", gap.low, gap.high) for gap in gaps]
