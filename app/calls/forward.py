"""Reading a portal's statistics forward to their end: what is new, and what came late to the last day's
calls.

It begins 200 ids before the mark, because rows may become visible out of order, or at the first row of the
last day, whichever is lower.
"""

import msgspec

from app.calls.batches import BatchReader
from app.calls.mark_queries import find_first_leg, raise_mark
from app.calls.marks import Mark
from app.calls.plan import BEHIND_IDS, Plan
from app.calls.sync_writes import Installation, drop_disproved_legs, note_read
from app.portals.access import PortalUnreachableError

DAY_S = 86_400


class SyncResult(msgspec.Struct, frozen=True):
    """What a read did. `undecodable` rows are counted and left out; times are Unix seconds."""

    history: str
    complete_up_to: int | None
    rows: int
    calls_inserted: int
    calls_changed: int
    undecodable: int


async def read_forward(reader: BatchReader, installation: Installation, mark: Mark, now: int) -> Mark | None:
    """Read to the end and move the mark there; None when the portal was installed anew meanwhile.

    Raises what the reader raises; what was written before stays: each row is true by itself. After each
    batch the mark rises to where the ids are read without a gap, so that another attempt goes on from there;
    only at the end does it move to the moment when the first request began.
    """
    # A call dated far ahead, by a wrong clock, would stay the first of every day to come.
    first_of_day = await find_first_leg(mark.portal_id, now - DAY_S, now + DAY_S)
    start = max(1, min(mark.high_id - BEHIND_IDS + 1, first_of_day or mark.high_id))
    plan = Plan(min(start, mark.high_id + 1), mark.high_id + 1, is_open=True)
    while not plan.is_complete:
        await reader.read_batch(plan)
        high_id = min(plan.read_to, reader.high_id)
        if high_id > mark.high_id:
            await raise_mark(mark.portal_id, mark.generation, mark.token_user_id, high_id, None)
        if reader.rest_s and not plan.is_complete:
            raise PortalUnreachableError("the portal allows no more execution time for now")
    high_id = max(mark.high_id, reader.high_id)
    moved = await raise_mark(mark.portal_id, mark.generation, mark.token_user_id, high_id, reader.began_at)
    if moved is not None and moved.history_state == "complete":
        reader.changed += await drop_disproved_legs(installation, now - DAY_S, now)
    await note_read(installation, now)
    return moved
