"""Reading a portal's statistics forward to their end: new calls, and late facts of known calls.

A read has two parts. First it reads from 200 ids below the mark up to the end of the statistics. Then it goes
on below those 200 ids, down to the first row of its window (two days), and at least to where the mark stood
an hour before the last read. Once a day it goes back thirty days instead of two, and a day instead of an
hour. It reads these rows again because the portal may show rows out of the order of their ids, and because
facts of known calls come late.

The end of its share, a portal that allows no more execution time, or the end of this process cuts a read off.
That costs a batch at most: the next attempt goes on from there. No answer of the portal prolongs the share,
because a portal may show new rows for ever.
"""

import msgspec
import structlog

from app.calls.statistics.audit import Audit, is_audit_due
from app.calls.statistics.audit_queries import has_lacked, has_rows
from app.calls.statistics.fetch.batch_reader import BatchReader
from app.calls.statistics.fetch.merge import forget_old_legs
from app.calls.statistics.fetch.merge_queries import note_read
from app.calls.statistics.fetch.turn_share import Share
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
from app.calls.statistics.progress.read_lease import ReadLease
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

log = structlog.get_logger(__name__)
LIMITED_FROM = 2  # Operators: if the calls of only one are missing, that one may have forged them.
# Statistics have come two hours late. So a missing call may just be late, if its event is younger than this
# and the statistics show no later call.
LATE_S = 3 * 3600


class SyncResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a read. `complete_up_to`: Unix seconds. `undecodable`: rows in which not everything could
    be read.
    """

    history: str
    complete_up_to: int | None
    rows: int
    calls_inserted: int
    calls_changed: int
    undecodable: int


class Attempt(msgspec.Struct, frozen=True):
    """One attempt at a read. `is_full`: the read goes back 30 days. `lease`: None if the read has no lease.
    When the `share` is used up, the attempt ends after its present batch.
    """

    is_full: bool
    lease: ReadLease | None
    share: Share


class PortalRestsError(Exception):
    """The read goes on later. `rest_s`: for so many seconds the portal allows no more execution time, or its
    rows of this minute are used up; 0: its turn is over, or this process ends.
    """

    def __init__(self, rest_s: int) -> None:
        super().__init__("the portal's turn is over, or it allows no more execution time; it goes on later")
        self.rest_s = rest_s


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One read, over all its attempts. It began at `looked_at` by our clock and at `began_at` by the
    portal's. It looks at calls from `since` on, whose ids begin at `bottom_id`.
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
        """The same read after one more batch; `began_at`: when the attempt with this batch began, by the
        portal's clock.
        """
        began_at = began_at if self.began_at is None else self.began_at
        return msgspec.structs.replace(self, low_id=low_id, began_at=began_at)


async def read_forward(reader: BatchReader, mark: Mark, clock: Clock, attempt: Attempt) -> Mark | None:
    """Read to the end and move the mark there; the mark afterwards, or None when the portal was installed
    again meanwhile.

    Raises the reader's errors, PortalRestsError and LeaseLostError. Rows that were written before an error
    stay, because each row is true by itself. After each batch the mark rises to the id up to which all is
    read, and notes how far down the read has come, so that another attempt goes on from there. Only the end
    of the read moves "complete up to", to the moment when its first request began.
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
            await _keep(mark, going, attempt.lease, clock.now())
            if reader.rest_s or attempt.share.is_over(reader.rows):
                raise PortalRestsError(max(reader.rest_s, attempt.share.rest_s(reader.rows)))
    moved = await _finish(reader, mark, going, attempt, clock)
    written = reader.destination
    await note_read(written.portal_id, written.generation, clock.now(), written.database)
    return moved


async def _begin(mark: Mark, now: int, window_s: int) -> Pass:
    # `now + DAY_S` leaves out calls that a wrong clock dated far ahead. They would always be in the window,
    # and every read would go back to their rows.
    first_id = await find_first_leg(mark.portal_id, now - window_s, now + DAY_S)
    stood = stood_at(mark, now, is_full=window_s >= FULL_WINDOW_S)
    bottom_id = max(1, min(mark.high_id - BEHIND_IDS + 1, first_id or mark.high_id, stood + 1))
    return Pass(looked_at=now, since=now - window_s, bottom_id=min(bottom_id, mark.high_id + 1))


def _resume(mark: Mark, window_s: int) -> Pass | None:
    """The read that was cut off; None when there is none, or when it goes back less far than `window_s`."""
    if mark.pass_low_id is None or mark.pass_looked_at - mark.pass_since < window_s:
        return None
    return Pass(
        looked_at=mark.pass_looked_at,
        since=mark.pass_since,
        bottom_id=mark.pass_bottom_id,
        low_id=mark.pass_low_id,
        began_at=mark.pass_began_at,
    )


async def _keep(mark: Mark, going: Pass, lease: ReadLease | None, now: int) -> None:
    changes: dict[str, object] = {
        "pass_low_id": going.low_id,
        "pass_bottom_id": going.bottom_id,
        "pass_looked_at": going.looked_at,
        "pass_since": going.since,
        "pass_began_at": going.began_at,
    }
    if lease is None:
        await change_mark(mark.portal_id, mark, changes)
    else:
        await lease.renew(now, changes)


async def _finish(
    reader: BatchReader, mark: Mark, going: Pass, attempt: Attempt, clock: Clock
) -> Mark | None:
    """Move the mark to the end, compare with the portal's count where that is due, and move "complete up to".
    Returns the mark afterwards.

    The error of a failed comparison is raised after the read is noted. The comparison goes on with a later
    read, and no call waits for it.
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
        except Exception as error:  # noqa: BLE001  The read was whole, even if the comparison failed.
            failure = error
    await _date(reader, mark, going, newest_id, shown_id)
    if is_whole:
        if going.is_full:
            reader.changed += await forget_old_legs(reader.destination, going.looked_at - FULL_WINDOW_S)
        await _note(mark, going, attempt.lease, failure)
    if failure is not None:
        raise failure
    return await find_mark(mark.portal_id, mark.generation) if moved is not None else None


async def _compare(
    reader: BatchReader, mark: Mark, going: Pass, attempt: Attempt, clock: Clock
) -> int | None:
    """Compare with the portal's count where that is due; the newest id that the portal showed when the audit
    asked for it, else None.
    """
    current = await find_mark(mark.portal_id, mark.generation)
    if current is None or not is_audit_due(current, clock.now(), is_full=going.is_full):
        return None
    audit = Audit(reader, current, clock, attempt.share, going.bottom_id)
    await audit.run()
    return audit.shown_id


async def _date(reader: BatchReader, mark: Mark, going: Pass, newest_id: int, shown_id: int | None) -> None:
    """Move "complete up to" to the moment when the read began, unless `find_doubt` finds a doubt."""
    current = await find_mark(mark.portal_id, mark.generation)
    began_at = reader.began_at if going.began_at is None else going.began_at
    if current is None or began_at is None:
        return
    compared_ago_s = None if current.audited_at is None else going.looked_at - current.audited_at
    seen = Seen(
        newest_id=newest_id,
        known_id=mark.high_id,
        has_known=await has_rows(mark.portal_id),
        shown_id=shown_id,
        compared_ago_s=compared_ago_s,
    )
    if doubt := find_doubt(seen):
        log.warning("nothing is promised of this read", portal_id=mark.portal_id, doubt=doubt)
        return
    key = (mark.portal_id, mark.generation, mark.token_user_id)
    await date_mark(*key, min(began_at, going.looked_at), going.looked_at)


async def _note(mark: Mark, going: Pass, lease: ReadLease | None, failure: Exception | None) -> None:
    """Note the end of the read: which unconfirmed calls count, and when to read next."""
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
    claimed_until = 0 if lease is None else lease.until
    await finish_read(portal_id, mark.generation, mark.token_user_id, finding, claimed_until)
    current = await find_mark(portal_id, mark.generation)
    if current is not None and (stand := note_stand(current, looked_at, current.high_id)):
        await change_mark(portal_id, mark, stand)
