"""``python -m tests.month SEED sqlite|postgresql``: one month; exit code 1 if the log claimed too much, or
differs at the end.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.kit.messages.logging import configure_logging
from tests.databases import PostgresDatabases, SqliteDatabases
from tests.month.month import draw_month, live_month

SHOWN = 20  # The most faults that are printed.


@contextmanager
def open_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a migrated, empty database."""
    if kind == "sqlite":
        yield SqliteDatabases(folder).create()
        return
    databases = PostgresDatabases(folder / "postgres")
    try:
        yield databases.create()
    finally:
        databases.close()


def main(seed: int, kind: str) -> int:
    """Live through the month; print its events and its faults."""
    configure_logging("console", "error")
    course = draw_month(seed)
    with tempfile.TemporaryDirectory() as name, open_database(kind, Path(name)) as url:
        counts, wrong = asyncio.run(live_month(url, Path(name), course))
    print(f"seed {seed}, {kind}: {', '.join(course.kinds)}")
    print(json.dumps(counts))
    print("\n".join(wrong[:SHOWN]) or "equal, and no lie")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
