"""The tests of `make quick`: the pure ones, found here, and one of each promise, by the marker `quick`.

Where such a test runs on either database, SQLite is taken (see the Makefile).
"""

from collections.abc import Iterable
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Their tests start processes or a browser, or have a command of their own (`make check`).
NOT_QUICK = frozenset({"architecture", "bench", "browser", "commands", "hanging", "long", "month", "roles"})
# A test that asks for one of these, directly or through another fixture, is not pure.
SERVED = frozenset({"bitrix", "database_folder", "database_url", "stand_in"})


def is_pure(item: pytest.Function) -> bool:
    """Whether the test needs neither a database nor a portal nor a process."""
    folder = item.path.relative_to(TESTS).parts[0]
    return folder not in NOT_QUICK and SERVED.isdisjoint(item.fixturenames)


def mark_quick(items: Iterable[pytest.Item]) -> None:
    """Give every pure test the marker."""
    for item in items:
        if isinstance(item, pytest.Function) and is_pure(item):
            item.add_marker("quick")
