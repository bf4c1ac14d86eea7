"""Reading a portal's statistics forward to their end: what is new, and what came late to known calls.

A read begins 200 ids before the mark or where that stood an hour before the last read, because rows may
become visible out of order, and goes on down to the first row of its window: two days, once a day thirty.
What cuts it off, be it the end of its share, a portal that allows no more execution time or the end of our
process, costs a batch at most: then it goes on where it was. The share ends whatever the portal answers, or
one that shows ever new rows would be read for ever.
"""

import msgspec
import structlog

from app.calls.statistics.audit import Audit, is_audit_due
from app.calls.statistics.audit_queries import has_lacked, has_rows
from app.calls.statistics.fetch.batch_reader import BatchReader
from app.calls.statistics.fetch.merge import forget_old_legs, note_read
from app.calls.statistics.fetch.turn_share import Share
from app.calls.statistics.progress.claims import Claim
from app.calls.statistics.progress.dating_rule import Seen, find_doubt
from app.calls.statistics.progress.forward_queries import (
    Finding,
    count_recent_calls,
    count_unseen_operators,
    find_first_leg,
    finish_read,
)
from app.calls.statistics.progress.mark_queries import change_mark, date_mark, find_mark, raise_mark, suspect
from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.progress.plan import BEHIND_IDS, Plan
from app.calls.statistics.progress.read_schedule import (
    DAY_S,
    FULL_WINDOW_S,
    MOST_COUNTED,
    TRAFFIC_S,
    WINDOW_S,
    plan_interval,
)
from app.calls.statistics.progress.window import note_stand, stood_at
from app.calls.store.counted_calls import GRACE_S
from app.kit.clock import Clock
from app.portals.outbound.access import PortalUnreachableError

log = structlog.get_logger(__name__)
LIMITED_FROM = 2  # So many operators: one alone may be a forger.
LATE_S = 3 * 3600  # Statistics have been seen two hours late: until then only they may be the cause.


class SyncResult(msgspec.Struct, frozen=True):
    """What a read did. Of `undecodable` rows not everything could be read; times are Unix seconds."""

    history: str
    complete_up_to: int | None
    rows: int
    calls_inserted: int
    calls_changed: int
    undecodable: int


class Attempt(msgspec.Struct, frozen=True):
    """One attempt at a read: whether with the calls of 30 days, by which claim (None: without one), and its
    share, after which it ends with the batch that it is at.
    """

    is_full: bool
    claim: Claim | None
    share: Share


class PortalRestsError(PortalUnreachableError):
    """The read goes on later: the portal allows no more execution time, or has had the rows of its minute,
    for `rest_s` seconds; or (0) its turn is over, or this process ends.
    """

    def __init__(self, rest_s: int) -> None:
        super().__init__("the portal's turn is over, or it allows no more execution time; it goes on later")
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

    def moved_to(self, low_id: int, began_at: int | None) -> "Pass":
        """The same read after one more batch of an attempt that began then, by the portal's clock."""
        began_at = began_at if self.began_at is None else self.began_at
        return msgspec.structs.replace(self, low_id=low_id, began_at=began_at)


async def read_forward(reader: BatchReader, mark: Mark, clock: Clock, attempt: Attempt) -> Mark | None:
    """Read to the end and move the mark there; None when the portal was installed anew meanwhile.

    Raises what the reader raises, PortalRestsError, and ClaimLostError; what was written before stays: each
    row is true by itself. After each batch the mark rises to where the ids are read without a gap, and tells
    how far down the read has come, so that another attempt goes on from there; only at the end does it move
    to the moment when the first request began.
    """
    window_s = FULL_WINDOW_S if attempt.is_full else WINDOW_S
    going = _resume(mark, window_s) or await _begin(mark, clock.now(), window_s)
    plan = Plan(going.bottom_id, mark.high_id + 1, is_open=True, resume_at=going.low_id)
    while not plan.is_complete:
        progress = await reader.read_batch(plan)
        high_id = min(plan.read_to, reader.high_id)
        if high_id > mark.high_id:
            await raise_mark(mark.portal_id, mark.generation, mark.token_user_id, high_id)
        if not plan.is_complete:
            going = going.moved_to(progress.low_id, reader.began_at)
            await _keep(mark, going, attempt.claim, clock.now())
            if reader.rest_s or attempt.share.is_over(reader.rows):
                raise PortalRestsError(max(reader.rest_s, attempt.share.rest_s(reader.rows)))
    moved = await _finish(reader, mark, going, attempt, clock)
    await note_read(reader.destination, clock.now())
    return moved


async def _begin(mark: Mark, now: int, window_s: int) -> Pass:
    # A call dated far ahead, by a wrong clock, would stay the first of every day to come.
    first_id = await find_first_leg(mark.portal_id, now - window_s, now + DAY_S)
    stood = stood_at(mark, now, is_full=window_s >= FULL_WINDOW_S)
    bottom_id = max(1, min(mark.high_id - BEHIND_IDS + 1, first_id or mark.high_id, stood + 1))
    return Pass(now, now - window_s, min(bottom_id, mark.high_id + 1))


def _resume(mark: Mark, window_s: int) -> Pass | None:
    """The read that was cut off, unless it looks less far back than is wanted now."""
    if mark.pass_low_id is None or mark.pass_looked_at - mark.pass_since < window_s:
        return None
    return Pass(
        mark.pass_looked_at, mark.pass_since, mark.pass_bottom_id, mark.pass_low_id, mark.pass_began_at
    )


async def _keep(mark: Mark, going: Pass, claim: Claim | None, now: int) -> None:
    changes: dict[str, object] = {
        "pass_low_id": going.low_id,
        "pass_bottom_id": going.bottom_id,
        "pass_looked_at": going.looked_at,
        "pass_since": going.since,
        "pass_began_at": going.began_at,
    }
    if claim is None:
        await change_mark(mark.portal_id, mark, changes)
    else:
        await claim.renew(now, changes)


async def _finish(
    reader: BatchReader, mark: Mark, going: Pass, attempt: Attempt, clock: Clock
) -> Mark | None:
    """Move the mark to the end, compare with the portal's count where that is due, and date the read.

    A comparison that fails is raised once the read is noted: it goes on by itself, and keeps no call waiting.
    """
    newest_id = reader.high_id
    moved = await raise_mark(
        mark.portal_id, mark.generation, mark.token_user_id, max(mark.high_id, newest_id)
    )
    is_whole = moved is not None and moved.history_state == "complete"
    shown_id, failure = None, None
    if is_whole:
        if newest_id < mark.high_id:
            await suspect(mark.portal_id, mark.generation, newest_id + 1)
        try:
            shown_id = await _compare(reader, mark, going, attempt, clock)
        except Exception as error:  # noqa: BLE001  Whatever it is, the read was whole.
            failure = error
    await _date(reader, mark, going, newest_id, shown_id)
    if is_whole:
        if going.is_full:
            reader.changed += await forget_old_legs(reader.destination, going.looked_at - FULL_WINDOW_S)
        await _note(mark, going, attempt.claim, failure)
    if failure is not None:
        raise failure
    return await find_mark(mark.portal_id, mark.generation) if moved is not None else None


async def _compare(
    reader: BatchReader, mark: Mark, going: Pass, attempt: Attempt, clock: Clock
) -> int | None:
    """Compare with the portal's count where that is due; the newest id that it showed, if it was asked."""
    current = await find_mark(mark.portal_id, mark.generation)
    if current is None or not is_audit_due(current, clock.now(), is_full=going.is_full):
        return None
    audit = Audit(reader, current, clock, attempt.share, going.bottom_id)
    await audit.run()
    return audit.shown_id


async def _date(reader: BatchReader, mark: Mark, going: Pass, newest_id: int, shown_id: int | None) -> None:
    """Say of the moment when the read began that all which was shown then is stored, if nothing speaks
    against it.
    """
    current = await find_mark(mark.portal_id, mark.generation)
    began_at = reader.began_at if going.began_at is None else going.began_at
    if current is None or began_at is None:
        return
    compared_ago_s = None if current.audited_at is None else going.looked_at - current.audited_at
    seen = Seen(newest_id, mark.high_id, await has_rows(mark.portal_id), shown_id, compared_ago_s)
    if doubt := find_doubt(seen):
        log.warning("nothing is promised of this read", portal_id=mark.portal_id, doubt=doubt)
        return
    key = (mark.portal_id, mark.generation, mark.token_user_id)
    await date_mark(*key, min(began_at, going.looked_at), going.looked_at)


async def _note(mark: Mark, going: Pass, claim: Claim | None, failure: Exception | None) -> None:
    """What follows for the calls that only events told of, and when to read next."""
    portal_id, looked_at = mark.portal_id, going.looked_at
    unseen = await count_unseen_operators(
        portal_id, looked_at - FULL_WINDOW_S, looked_at + DAY_S, looked_at - GRACE_S, looked_at - LATE_S
    )
    recent_calls = await count_recent_calls(portal_id, looked_at - TRAFFIC_S, looked_at, MOST_COUNTED)
    finding = Finding(
        looked_at=looked_at,
        is_limited=unseen >= LIMITED_FROM or await has_lacked(portal_id),
        counts_all=unseen >= LIMITED_FROM,
        next_read_at=looked_at + plan_interval(portal_id, recent_calls),
        full_read_at=looked_at if going.is_full else None,
        failure_code=None if failure is None else str(getattr(failure, "code", "internal_error")),
    )
    claimed_until = 0 if claim is None else claim.until
    await finish_read(portal_id, mark.generation, mark.token_user_id, finding, claimed_until)
    current = await find_mark(portal_id, mark.generation)
    if current is not None and (stand := note_stand(current, looked_at, current.high_id)):
        await change_mark(portal_id, mark, stand)
