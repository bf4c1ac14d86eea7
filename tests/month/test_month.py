"""Some days of a portal with a few of the faults in the months of `make long-months`."""

from pathlib import Path

import pytest

from tests.month.month import Course, live_month

DAYS = 4
KINDS = ("while storing", "old", "renamed", "removed", "forged", "rights", "steps", "restored")


@pytest.mark.timeout(300)  # A busy machine takes longer for these days than a hanging test may.
async def test_after_some_days_the_log_equals_the_portal_s_statistics_and_never_lied(
    tmp_path: Path, database_url: str
) -> None:
    counts, wrong = await live_month(database_url, tmp_path, Course(3, DAYS, KINDS))
    assert wrong == [], counts
