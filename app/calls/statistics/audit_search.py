"""Where the portal's statistics and ours may differ: the ranges that an audit has still to look at. Pure.

A search is kept in the mark after each step, so that the end of a turn, a crash or a failure costs one step.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil
from typing import Literal

import msgspec

from app.calls.statistics.progress.pace import MOST_PAGES
from app.calls.statistics.progress.plan import PAGE_ROWS, Range

PARTS = 20  # Counts in one request: each brings a page of rows along.
BATCH_ROWS = MOST_PAGES * PAGE_ROWS  # So many rows are read by one request, and not counted in parts.
WALK_IDS = 4 * PAGE_ROWS  # Read at first below where ids were given anew, then twice as many.
Counts = list[int | None]


class Task(msgspec.Struct, frozen=True):
    """A range to look at. `count`: in parts, of which those that differ are tasks again; `sweep`: likewise,
    but all parts. `read`: page by page, and on below it where ids were another call's; `plain`: not on.
    """

    kind: Literal["count", "sweep", "read", "plain"]
    low: int
    high: int

    @property
    def range(self) -> Range:
        """Its ids."""
        return Range(self.low, self.high)

    @property
    def pages(self) -> list[Range]:
        """The ids in ranges of a page each, or wider ones where the rows are few."""
        return cut(self.range, min(MOST_PAGES, ceil((self.high - self.low + 1) / PAGE_ROWS)))


class Search(msgspec.Struct, frozen=True):
    """One comparison: what the portal counted of each part when it began, and what is left to look at, the
    last task first. `is_suspicious`: it also looks for ids that were given anew. `slice_id`: the lowest id of
    the slice of old rows that it reads again.
    """

    parts: list[Range]
    counts: Counts
    tasks: list[Task]
    is_suspicious: bool = False
    slice_id: int = 0

    def with_tasks(self, tasks: Iterable[Task]) -> "Search":
        """The same comparison with this left."""
        return msgspec.structs.replace(self, tasks=[*tasks])

    def encode(self) -> str:
        """As the mark keeps it."""
        return msgspec.json.encode(self).decode()


def decode_search(text: str) -> Search | None:
    """The comparison that a mark keeps; None if there is none."""
    return msgspec.json.decode(text, type=Search) if text else None


def cut(part: Range, pieces: int) -> list[Range]:
    """The range in at most so many pieces of about the same width."""
    width = max(1, ceil((part.high - part.low + 1) / max(1, pieces)))
    return [Range(low, min(part.high, low + width - 1)) for low in range(part.low, part.high + 1, width)]


def plan_parts(high: int, read_from: int) -> list[Range]:
    """What is counted each day: in parts what the read before did not look at, and as one what it did.

    Parts by themselves: a row that is missing from the one and one that is gone from the other would add up
    to nothing.
    """
    below = min(read_from - 1, high)
    parts = cut(Range(1, below), PARTS - 1) if below > 0 else []
    return [*parts, Range(max(below, 0) + 1, high)] if below < high else parts


def refine(task: Task, pieces: Sequence[Range], counts: Counts, stored: Sequence[int]) -> list[Task]:
    """What is left of a range once its pieces are counted, by the portal for `count`, and by us."""
    left = []
    for piece, count, n in zip(pieces, counts, stored, strict=True):
        if task.kind == "count" and count == n:
            continue
        is_small = piece.high - piece.low < BATCH_ROWS or max(count or 0, n) <= BATCH_ROWS
        small: Literal["read", "plain"] = "read" if task.kind == "count" else "plain"
        left.append(Task(small if is_small else task.kind, piece.low, piece.high))
    return left


def walk_on(task: Task) -> list[Task]:
    """What is read below where ids were another call's: twice as many, at most as one request reads."""
    width = min(2 * (task.high - task.low + 1), BATCH_ROWS)
    return [Task("read", max(1, task.low - width), task.low - 1)] if task.low > 1 else []


def plan_slice(below_id: int, read_from: int, width: int) -> list[Task]:
    """The next of the old rows, downward from the day before's, then from the top again: as many as one
    request reads, where `width` ids are a page.
    """
    top = below_id if 1 < below_id < read_from else read_from
    return [Task("read", max(1, top - MOST_PAGES * width), top - 1)] if top > 1 else []


def begin_walk(low_id: int) -> list[Task]:
    """What is read at first below an id that was given anew."""
    return [Task("read", max(1, low_id - WALK_IDS), low_id - 1)] if low_id > 1 else []


def spread(low: int, high: int) -> list[Range]:
    """At most 50 pages' ranges, ascending, the last one among them: all of them, or evenly spread."""
    pages = ceil((high - low + 1) / PAGE_ROWS)
    step = PAGE_ROWS * max(1, ceil(pages / MOST_PAGES))
    lows = [top - PAGE_ROWS + 1 for top in range(high, low - 1, -step)]
    return [Range(max(low, one), one + PAGE_ROWS - 1) for one in reversed(lows)]


def sweep_around(samples: Sequence[Range], taken_ids: Iterable[int]) -> list[Task]:
    """What is read where samples hold ids that were given anew: all from the sample before to that after."""
    taken = [*taken_ids]
    hit = [any(one.low <= taken_id <= one.high for taken_id in taken) for one in samples]
    gaps = [
        Range(one.high + 1, after.low - 1)
        for (one, after), is_hit in zip(pairwise(samples), map(any, pairwise(hit)), strict=True)
        if is_hit and one.high + 1 < after.low
    ]
    return [Task("sweep", gap.low, gap.high) for gap in gaps]
