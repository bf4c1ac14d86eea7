"""Counting how much portals store, page by page and off the hot path.

Counting is needed because the last second of a killed process is missing from the notes, and because an older
release made no notes.
"""

from collections.abc import Awaitable, Callable, Mapping

from app.calls.space.sizes import Size
from app.calls.space.usage_queries import Usage, count_page, find_usage, list_due_counts, note_counted
from app.kit.clock import Clock
from app.kit.fairness.turns import take_turn
from app.kit.storage.database import Database

COUNTED_EVERY_S = 6 * 3600
PORTALS_A_TURN = 100
PAGES_A_TURN = 200  # Of 5,000 calls each, over all portals; the next turn goes on.

Counters = Mapping[str, Callable[[int], Awaitable[int]]]  # By the names of Usage's fields.


class Recount:
    """Counts one portal after the other, those with the oldest count first."""

    def __init__(self, database: Database, clock: Clock, counters: Counters) -> None:
        self._database = database
        self._clock = clock
        self._counters = counters
        # Where the last turn ended, by portal: one entry at most.
        self._begun: dict[int, tuple[str, Size, Size]] = {}

    async def run_due(self) -> None:
        """Count as much as one turn may; a portal of millions takes several turns."""
        left = PAGES_A_TURN
        for portal_id in await list_due_counts(self._clock.now() - COUNTED_EVERY_S, PORTALS_A_TURN):
            if left <= 0:
                return
            with take_turn("recount", portal_id):
                left -= await self._count(portal_id, left)

    async def _count(self, portal_id: int, pages: int) -> int:
        """Go on with the portal's count for at most `pages` pages; return how many pages were read."""
        begun = self._begun.pop(portal_id, None)
        # An unfinished count of another portal is dropped. Either that portal was removed, or a portal that
        # was never counted comes before it now; then its own count will begin again later.
        self._begun.clear()
        after, size, before = begun or ("", Size(), (await find_usage(portal_id)).size)
        for page in range(1, pages + 1):
            counted = await count_page(portal_id, after, is_sqlite=self._database.is_sqlite)
            if counted.last is None:
                await self._note(portal_id, size, before)
                return page
            after, size = counted.last, size + counted.size
        self._begun[portal_id] = after, size, before
        return pages

    async def _note(self, portal_id: int, counted: Size, before: Size) -> None:
        """Note the count, and add all that was stored while the count went on. So a call may be counted
        twice, but none is left out.
        """
        size = counted + (await find_usage(portal_id)).size + -before
        others = {name: await count(portal_id) for name, count in self._counters.items()}
        usage = Usage(row_count=size.rows, text_bytes=size.text_bytes, counted_at=self._clock.now(), **others)
        await note_counted(portal_id, usage, is_sqlite=self._database.is_sqlite)
