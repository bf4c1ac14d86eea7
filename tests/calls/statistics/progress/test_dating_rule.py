"""The one rule for whether a read may date "complete up to"."""

import pytest

from app.calls.statistics.progress.dating_rule import AUDITED_WITHIN_S, Doubt, Seen, find_doubt


@pytest.mark.parametrize(
    ("seen", "doubt"),
    [
        (Seen(newest_id=100, known_id=100, has_known=True), None),
        (Seen(newest_id=120, known_id=100, has_known=True, compared_ago_s=AUDITED_WITHIN_S), None),
        (Seen(newest_id=0, known_id=0, has_known=False), None),
        (Seen(newest_id=0, known_id=0, has_known=True), "nothing_shown"),
        (Seen(newest_id=99, known_id=100, has_known=True), "newest_not_shown"),
        (Seen(newest_id=99, known_id=100, has_known=True, shown_id=99), None),
        (Seen(newest_id=99, known_id=100, has_known=True, shown_id=101), "newest_not_shown"),
        (
            Seen(newest_id=100, known_id=100, has_known=True, compared_ago_s=AUDITED_WITHIN_S + 1),
            "not_compared",
        ),
    ],
)
def test_a_read_dates_the_claim_unless_something_speaks_against_it(seen: Seen, doubt: Doubt | None) -> None:
    assert find_doubt(seen) == doubt
