"""How much a portal may store: so much that no honest portal meets the bound, and no portal fills the disk
that all share. `tests/architecture/test_bounded_tables.py` lists the bound of each table.
"""

from dataclasses import dataclass

from app.kit.messages.errors import Unavailable
from app.kit.messages.words import N_

MIB = 1024 * 1024
RETRY_AFTER_S = 60  # Only the removal of calls makes room, which takes longer than seconds.


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The bounds for one portal."""

    rows: int = 10_000_000  # Of calls and legs: about five million calls, 1,400 a day for ten years.
    text_bytes: int = 4096 * MIB  # Of their texts: 800 for each of those calls; an honest one has about 150.
    # Of the texts of calls; a minute's allowance may be used in one second. A portal with 1,000 calls a
    # second uses a thirtieth of it.
    mib_a_minute: int = 256
    undecodable_events: int = 1_000  # Each of at most 8 KiB.
    # The latest unreadable rows of the statistics. Older ones may be dropped: Bitrix24 shows a row again,
    # while it sends no event again.
    odd_rows: int = 200
    people: int = 20_000  # Dismissed ones too; the largest companies have about ten thousand.
    departments: int = 5_000  # The largest companies have about a thousand.
    memberships: int = 100_000  # Most people belong to one department or two.
    views: int = 5_000  # Of all users together; each has at most MAX_VIEWS of `app.calls.log.views`.
    preferences: int = 20_000  # Users that have chosen something.
    requests: int = 50_000  # In the request log, which keeps a week: five a minute.


USUAL = Quotas()


class QuotaReached(Unavailable):
    """The portal has reached one of its quotas; the caller may try again after `retry_after_s`."""

    code = "quota_reached"
    message = N_(
        "Callbook has no more room for data from your Bitrix24. Ask the vendor of Callbook for more room."
    )
    retry_after_s = RETRY_AFTER_S
