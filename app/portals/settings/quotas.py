"""How much a portal may store: generous, so that no honest one meets it, and finite, so that none fills the
disk of all. What each table is bound by is listed in `tests/architecture/test_bounded_tables.py`.
"""

from dataclasses import dataclass

from app.kit.messages.errors import Unavailable
from app.kit.messages.words import N_

MIB = 1024 * 1024
RETRY_AFTER_S = 60  # Room comes when calls are removed, not within seconds.


@dataclass(frozen=True, slots=True)
class Quotas:
    """What one portal may store."""

    rows: int = 10_000_000  # Of calls and legs: about five million calls, 1,400 a day for ten years.
    text_bytes: int = 4096 * MIB  # Of their texts: 800 for each of those calls, whose own have about 150.
    mib_a_minute: int = 256  # Of texts, and at once: thirty times what 1,000 calls a second have.
    undecodable_events: int = 1_000  # Each of at most 8 KiB.
    odd_rows: int = 200  # Of the statistics, the latest: they are shown again, events are not.
    people: int = 20_000  # Dismissed ones too; the largest of companies have some ten thousand.
    departments: int = 5_000  # The largest of companies have some thousand.
    memberships: int = 100_000  # Nearly everybody belongs to one department or two.
    views: int = 5_000  # Of all users; each has MAX_VIEWS of `app.calls.log.views` at most.
    preferences: int = 20_000  # Users who chose something.
    requests: int = 50_000  # In the log of requests, which is kept a week: five a minute.


USUAL = Quotas()


class QuotaReached(Unavailable):
    """The portal has no room for more of something; `retry_after_s` says when to try again."""

    code = "quota_reached"
    message = N_(
        "Callbook has no room for more from your Bitrix24. Ask the vendor of Callbook for more room."
    )
    retry_after_s = RETRY_AFTER_S
