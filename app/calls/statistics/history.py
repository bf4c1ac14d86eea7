"""Reading a portal's history for one minute, newest first; the slice can end after any request.

The first slice finds where the statistics begin and end, and stores the newest calls at once.
"""

from collections.abc import Awaitable, Callable

from app.calls.statistics.audit_queries import has_rows
from app.calls.statistics.fetch.batch_reader import BatchReader
from app.calls.statistics.fetch.turn_share import Share
from app.calls.statistics.progress.dating_rule import Seen, find_doubt
from app.calls.statistics.progress.mark_queries import begin_mark, find_mark, move_mark
from app.calls.statistics.progress.marks import Mark, estimate_total
from app.calls.statistics.progress.pace import FIRST_PAGES
from app.calls.statistics.progress.plan import Plan, Progress, fitting_width
from app.calls.statistics.progress.read_lease import LEASE_S
from app.calls.statistics.progress.window import first_stand
from app.kit.clock import Clock


class Slice:
    """Reads on from a leased mark; `mark`: where it stands now, None once another process has moved it."""

    def __init__(
        self, reader: BatchReader, clock: Clock, mark: Mark, tell: Callable[[int], Awaitable[None]]
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._tell = tell
        self.mark: Mark | None = mark
        self.last = mark  # As `mark`, but never None.

    async def read(self, share: Share) -> None:
        """Read until nothing is left, the share is used up, or the portal must rest.

        Raises the reader's errors.
        """
        if not self.last.has_begun:
            begun = await begin_history(self._reader, self.last, self._clock.now())
            is_ours = begun is not None and begun.claimed_until == self.last.claimed_until
            await self._take(begun if is_ours else None)
            self._reader.pages = self.last.batch_pages
            if self.mark is None:
                return
        plan = Plan(self.last.bottom_id, self.last.low_id, self.last.range_width)
        if plan.is_complete and self.last.history_state != "complete":
            await self._move({"history_state": "complete", "failures": 0, "failure_code": None})
        while self.mark is not None and not (plan.is_complete or self._is_over(share)):
            progress = await self._reader.read_batch(plan)
            changes = self._describe(progress, is_complete=plan.is_complete) | {"range_width": plan.width}
            rest_s = max(self._reader.rest_s, share.rest_s(self._reader.rows))
            changes["next_at"] = self._clock.now() + rest_s
            await self._move(changes)

    def _is_over(self, share: Share) -> bool:
        return self._reader.rest_s > 0 or share.is_over(self._reader.rows)

    async def _move(self, changes: dict[str, object]) -> None:
        await self._take(await move_mark(self.last.portal_id, self.last, changes))

    async def _take(self, moved: Mark | None) -> None:
        self.mark = moved
        self.last = moved or self.last
        await self._tell(self.last.portal_id)

    def _describe(self, progress: Progress, *, is_complete: bool) -> dict[str, object]:
        """The mark's changes after a batch; a batch without progress does not undo an earlier failure."""
        mark, now = self.last, self._clock.now()
        rows = mark.rows_done + progress.rows
        total = (
            rows if is_complete else estimate_total(mark.top_id or 0, mark.bottom_id, progress.low_id, rows)
        )
        changes: dict[str, object] = {
            "low_id": progress.low_id,
            "rows_done": rows,
            "rows_total": total,
            "batch_pages": self._reader.pages,
            "claimed_until": now + LEASE_S,
        }
        if progress.low_id < mark.low_id or is_complete:
            state = "complete" if is_complete else "running"
            changes |= {"history_state": state, "failures": 0, "failure_code": None}
        return changes


async def begin_history(reader: BatchReader, mark: Mark, now: int) -> Mark | None:
    """Read and store the newest 50 rows (fewer where they are large), and begin the mark there; the rows
    below are the history. Returns the mark, or None when the portal was installed again meanwhile.

    Raises the reader's errors, and then nothing is begun. When another process began before, its mark stands.
    """
    newest, lowest = await reader.read_ends()
    changes = _first_changes(newest, lowest, reader, now)
    if find_doubt(Seen(newest_id=reader.high_id, known_id=0, has_known=await has_rows(mark.portal_id))):
        changes["read_up_to"] = None
    begun = await begin_mark(mark.portal_id, mark, changes)
    return begun or await find_mark(mark.portal_id, mark.generation)


def _first_changes(newest: list[int], lowest: int, reader: BatchReader, now: int) -> dict[str, object]:
    """The mark's first changes. `newest`: the ids of the newest page, descending. `lowest`: the lowest id of
    the statistics; if that page has it, the history is complete.
    """
    rows = len(newest)
    top_id, low_id = (newest[0], newest[-1]) if newest else (0, 1)
    bottom_id = min(lowest, low_id)
    return {
        "history_state": "complete" if bottom_id == low_id else "running",
        "top_id": top_id,
        "low_id": low_id,
        "bottom_id": bottom_id,
        "high_id": top_id,
        **first_stand(now, top_id),
        "read_up_to": None if reader.began_at is None else min(reader.began_at, now),
        "rows_done": rows,
        "rows_total": estimate_total(top_id, bottom_id, low_id, rows),
        "batch_pages": min(FIRST_PAGES, reader.pages),
        "range_width": fitting_width(top_id - low_id + 1, rows),
        "failures": 0,
        "failure_code": None,
    }
