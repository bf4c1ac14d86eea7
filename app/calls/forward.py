"""Reading a portal's statistics forward to their end: what is new, and what came late to known calls.

A read begins 200 ids before the mark, because rows may become visible out of order, and goes on down to the
first row of its window: two days, once a day thirty. A portal that allows no more execution time cuts it off;
then it goes on where it was.
"""

import msgspec

from app.calls.batches import BatchReader
from app.calls.counting import GRACE_S
from app.calls.mark_queries import forget_mark, raise_mark
from app.calls.marks import Mark
from app.calls.plan import BEHIND_IDS, Plan
from app.calls.read_queries import (
    Finding,
    count_recent_calls,
    count_unseen_operators,
    find_first_leg,
    finish_read,
    keep_pass,
)
from app.calls.schedule import (
    DAY_S,
    FULL_WINDOW_S,
    MOST_COUNTED,
    TRAFFIC_S,
    WINDOW_S,
    plan_interval,
)
from app.calls.sync_writes import Installation, drop_disproved_legs, note_read
from app.portals.access import PortalUnreachableError

LIMITED_FROM = 2  # So many operators: one alone may be a forger.


class SyncResult(msgspec.Struct, frozen=True):
    """What a read did. Of `undecodable` rows not everything could be read; times are Unix seconds."""

    history: str
    complete_up_to: int | None
    rows: int
    calls_inserted: int
    calls_changed: int
    undecodable: int


class PortalRestsError(PortalUnreachableError):
    """The portal allows no more execution time for `rest_s` seconds; the read goes on after that."""

    def __init__(self, rest_s: int) -> None:
        super().__init__("the portal allows no more execution time for now")
        self.rest_s = rest_s


class Pass(msgspec.Struct, frozen=True):
    """One read, over all its attempts: begun at `looked_at` (our clock), at `began_at` (the portal's); it
    looks at calls from `since` on, which are the ids from `bottom_id` up.
    """

    looked_at: int
    since: int
    bottom_id: int
    low_id: int | None = None
    began_at: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether it goes back 30 days."""
        return self.looked_at - self.since >= FULL_WINDOW_S


async def read_forward(
    reader: BatchReader, installation: Installation, mark: Mark, now: int, *, is_full: bool
) -> Mark | None:
    """Read to the end and move the mark there; None when the portal was installed anew meanwhile.

    Raises what the reader raises, and PortalRestsError; what was written before stays: each row is true by
    itself. After each batch the mark rises to where the ids are read without a gap, so that another attempt
    goes on from there; only at the end does it move to the moment when the first request began.
    """
    going = _resume(mark) or await _begin(mark, now, FULL_WINDOW_S if is_full else WINDOW_S)
    plan = Plan(going.bottom_id, mark.high_id + 1, is_open=True, resume_at=going.low_id)
    while not plan.is_complete:
        progress = await reader.read_batch(plan)
        high_id = min(plan.read_to, reader.high_id)
        if high_id > mark.high_id:
            await raise_mark(mark.portal_id, mark.generation, mark.token_user_id, high_id, None)
        if reader.rest_s and not plan.is_complete:
            await _keep(mark, going, progress.low_id, reader.began_at)
            raise PortalRestsError(reader.rest_s)
    began_at = reader.began_at if going.began_at is None else going.began_at
    high_id = max(mark.high_id, reader.high_id)
    moved = await raise_mark(mark.portal_id, mark.generation, mark.token_user_id, high_id, began_at)
    if moved is not None and moved.history_state == "complete":
        reader.changed += await drop_disproved_legs(installation, going.since, going.looked_at)
        await _finish(mark, going)
    await note_read(installation, now)
    return moved


async def _begin(mark: Mark, now: int, window_s: int) -> Pass:
    # A call dated far ahead, by a wrong clock, would stay the first of every day to come.
    first_id = await find_first_leg(mark.portal_id, now - window_s, now + DAY_S)
    bottom_id = max(1, min(mark.high_id - BEHIND_IDS + 1, first_id or mark.high_id))
    return Pass(now, now - window_s, min(bottom_id, mark.high_id + 1))


def _resume(mark: Mark) -> Pass | None:
    if mark.pass_low_id is None:
        return None
    return Pass(
        mark.pass_looked_at, mark.pass_since, mark.pass_bottom_id, mark.pass_low_id, mark.pass_began_at
    )


async def _keep(mark: Mark, going: Pass, low_id: int, began_at: int | None) -> None:
    changes = {
        "pass_low_id": low_id,
        "pass_bottom_id": going.bottom_id,
        "pass_looked_at": going.looked_at,
        "pass_since": going.since,
        "pass_began_at": began_at if going.began_at is None else going.began_at,
    }
    await keep_pass(mark.portal_id, mark.generation, mark.token_user_id, changes)


async def _finish(mark: Mark, going: Pass) -> None:
    """What follows for the calls that only events told of, and when to read next."""
    portal_id, looked_at = mark.portal_id, going.looked_at
    doubted_before = looked_at - GRACE_S
    unseen = await count_unseen_operators(
        portal_id, looked_at - FULL_WINDOW_S, looked_at + DAY_S, doubted_before
    )
    recent_calls = await count_recent_calls(portal_id, looked_at - TRAFFIC_S, looked_at, MOST_COUNTED)
    finding = Finding(
        looked_at=looked_at,
        is_limited=unseen >= LIMITED_FROM,
        next_read_at=looked_at + plan_interval(portal_id, recent_calls),
        full_read_at=looked_at if going.is_full else None,
    )
    if mark.is_limited and not finding.is_limited:
        # The owner may see more by now. Of the rows before this read's window nothing is known, so nothing is
        # promised until the history has been read anew.
        await forget_mark(portal_id, mark.generation, mark.token_user_id)
    else:
        await finish_read(portal_id, mark.generation, mark.token_user_id, finding)
