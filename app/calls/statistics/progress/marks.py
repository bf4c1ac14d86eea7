"""How far a portal's statistics have been read, and what may be promised about the log because of it."""

from typing import Literal

import msgspec

MOST_ROWS = 2**53  # More is no number to a browser; ids may be further apart than any rows are many.
State = Literal["pending", "running", "complete", "failed"]


class Mark(msgspec.Struct, frozen=True):
    """The mark of one portal in one generation; times are Unix seconds, `read_up_to` by the portal's clock.

    Everything from `low_id` to `high_id` that `token_user_id` (0: unknown) may see is in the log.
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
        """Whether the first read has told where the statistics begin and end."""
        return self.top_id is not None

    @property
    def fewer_pages(self) -> int:
        """The size of the next batch, when the portal could not answer this one."""
        return max(1, self.batch_pages // 2)

    @property
    def is_suspicious(self) -> bool:
        """Whether ids may be other calls' by now: a portal that was restored or moved gives them anew."""
        return self.suspected_from is not None

    @property
    def complete_up_to(self) -> int | None:
        """A moment of the portal's clock: what its statistics showed us then is in the log, all of it.

        None while the portal's own count of its rows says otherwise, or has not been asked, and while ids may
        be other calls'.
        """
        is_equal = self.audited_at is not None and self.unequal_since is None and not self.is_suspicious
        return self.read_up_to if self.history_state == "complete" and is_equal else None


def estimate_total(top_id: int, bottom_id: int, low_id: int, rows_done: int) -> int:
    """How many rows there will be, if the ids below `low_id` are as dense as those above it."""
    read_ids = top_id - low_id + 1
    unread_ids = max(low_id - bottom_id, 0)
    guess = round(unread_ids * rows_done / read_ids) if read_ids > 0 else 0
    return min(rows_done + guess, max(rows_done, MOST_ROWS))
