"""How far this process and others have read a portal's statistics, and so up to when the log is complete.

"Complete up to" (`Mark.complete_up_to`) falls for these four reasons, and for no other:

1. The history is to be read from its beginning. `mark_queries.ensure_mark` begins a new mark for another
   installation, and for another owner of the token, because that owner may be shown other rows. When an
   administrator sets a longer time to keep calls, `removal/retention.store_settings` calls
   `mark_queries.reopen_history`, because rows that were left out may lie anywhere. "Complete up to" is null
   until the history is read and compared.
2. The portal counts other rows than are stored: `Audit._begin` and `Audit._conclude` (`statistics/audit.py`)
   note `unequal_since`. "Complete up to" is null until the audit has looked at each difference.
3. The portal was restored or moved, so ids may belong to other calls: `mark_queries.suspect` notes
   `suspected_from`. `fetch/merge._rewrite_once` calls it where a row takes the id of another call, and
   `statistics/forward_read._finish` where the newest id is lower than before. "Complete up to" is null until
   the audit has settled which ids those are.
4. The portal's clock or ours was set back: `mark_queries.date_mark` moves "complete up to" back to the
   earlier moment.

A read that fails, a full quota (`Room.admit_read`) and a doubt (`dating_rule.find_doubt`) do not make
"complete up to" fall: it stays as it is until a read succeeds.
"""

from typing import Literal

import msgspec

MOST_ROWS = 2**53  # A browser knows no greater whole number; the distance between ids may be greater.
State = Literal["pending", "running", "complete", "failed"]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The mark of one portal in one generation. Times are Unix seconds, `read_up_to` by the portal's clock.

    The log has every row from `low_id` to `high_id` that the token's owner, `token_user_id` (0: unknown), may
    see. `tables.StatisticsMarkTable` says what each column holds.
    """

    portal_id: int
    generation: int
    token_user_id: int
    history_state: State
    top_id: int | None
    low_id: int
    bottom_id: int
    high_id: int
    read_up_to: int | None
    rows_done: int
    rows_total: int
    batch_pages: int
    range_width: int
    failures: int
    failure_code: str | None
    next_at: int
    claimed_until: int
    next_read_at: int
    evidence_at: int | None
    late_facts_at: int | None
    full_read_at: int | None
    looked_at: int | None
    is_limited: bool
    counts_all: bool
    reopened_at: int | None
    pass_low_id: int | None
    pass_bottom_id: int
    pass_since: int
    pass_looked_at: int
    pass_began_at: int | None
    audited_at: int | None
    unequal_since: int | None
    audit_offset: int
    suspected_from: int | None
    audit_state: str
    audit_tries: int
    audit_next_at: int
    audit_slice_id: int
    hour_id: int
    hour_at: int
    hour_before_id: int
    day_id: int
    day_at: int
    day_before_id: int

    @property
    def has_begun(self) -> bool:
        """Whether the first read has found where the statistics begin and end."""
        return self.top_id is not None

    @property
    def fewer_pages(self) -> int:
        """The pages of the next batch after one that the portal could not answer."""
        return max(1, self.batch_pages // 2)

    @property
    def is_suspicious(self) -> bool:
        """Whether ids may belong to other calls now: a restored or moved portal gives the same ids again."""
        return self.suspected_from is not None

    @property
    def complete_up_to(self) -> int | None:
        """A moment of the portal's clock: the log has every row that the statistics showed then.

        None until the history is read, while the portal's own count of its rows is unknown or differs, and
        while ids may belong to other calls. The docstring of this module lists the reasons why it falls.
        """
        is_equal = self.audited_at is not None and self.unequal_since is None and not self.is_suspicious
        return self.read_up_to if self.history_state == "complete" and is_equal else None


def estimate_total(top_id: int, bottom_id: int, low_id: int, rows_done: int) -> int:
    """How many rows the history will have, if the ids below `low_id` are as dense as those above it."""
    read_ids = top_id - low_id + 1
    unread_ids = max(low_id - bottom_id, 0)
    guess = round(unread_ids * rows_done / read_ids) if read_ids > 0 else 0
    return min(rows_done + guess, max(rows_done, MOST_ROWS))
