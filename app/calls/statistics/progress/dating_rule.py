"""Whether a read may move "complete up to" to its own beginning: the one rule, with its reasons. Pure.

This rule only keeps the moment from moving forward. The reasons why it moves back or becomes null stand in
`marks.py`.
"""

from typing import Literal

import msgspec

from app.calls.statistics.progress.read_schedule import DAY_S

# The audit compares a quiet portal once a day. Within this time a comparison may fail and be repeated.
AUDITED_WITHIN_S = 2 * DAY_S
Doubt = Literal["nothing_shown", "newest_not_shown", "not_compared"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The ids that a read saw in a portal's statistics (0: none), beside those that were known.

    `newest_id`: the highest of the read. `known_id`: the highest before it. `has_known`: whether any row is
    stored. `shown_id`: the highest that the portal showed when the audit asked for it after the read (None:
    it did not ask). `compared_ago_s`: seconds between the last comparison that agreed and this read (None: no
    comparison has agreed yet, or this is the first read).
    """

    newest_id: int
    known_id: int
    has_known: bool
    shown_id: int | None = None
    compared_ago_s: int | None = None


def find_doubt(seen: Seen) -> Doubt | None:
    """None when every row that the portal showed at the beginning of the read is stored; else why that is
    not sure.

    The owner's rights may have been gone for a minute, or the portal may have answered with empty pages.
    """
    if not seen.newest_id and seen.has_known:
        return "nothing_shown"
    if seen.newest_id < (seen.known_id if seen.shown_id is None else seen.shown_id):
        return "newest_not_shown"
    if seen.compared_ago_s is not None and seen.compared_ago_s > AUDITED_WITHIN_S:
        return "not_compared"
    return None
