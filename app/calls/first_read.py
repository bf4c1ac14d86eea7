"""The first read of a portal's statistics: where they begin and end, and the newest calls at once."""

from app.calls.audit_queries import has_rows
from app.calls.batches import BatchReader
from app.calls.dating import Seen, find_doubt
from app.calls.mark_queries import begin_mark, find_mark
from app.calls.marks import Mark, estimate_total
from app.calls.pace import FIRST_PAGES
from app.calls.plan import fitting_width
from app.calls.window import first_stand


async def begin_history(reader: BatchReader, mark: Mark, now: int) -> Mark | None:
    """Read the newest 50 rows (fewer where they are large), store them and begin the mark there, under it the
    history.

    None when the portal was installed anew meanwhile; raises what the reader raises, and then nothing is
    begun. When another reader began before, its mark stands.
    """
    newest, lowest = await reader.read_ends()
    changes = _first_changes(newest, lowest, reader, now)
    if find_doubt(Seen(reader.high_id, 0, await has_rows(mark.portal_id))):
        changes["read_up_to"] = None
    begun = await begin_mark(mark.portal_id, mark, changes)
    return begun or await find_mark(mark.portal_id, mark.generation)


def _first_changes(newest: list[int], lowest: int, reader: BatchReader, now: int) -> dict[str, object]:
    """`newest` are the highest ids, descending: all there are, when the page is not full."""
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
