"""``python -m tests.long PART…``: run the named parts, or all; exit code 1 if one misses a limit."""

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.kit.messages.logging import configure_logging
from tests.bench.figures import report
from tests.databases import SqliteDatabases
from tests.long.hostile import compare, measure
from tests.long.killed import run_killed
from tests.long.months import run_months
from tests.long.upgrades import run_upgrades

HOSTILE_S = 600.0


def run_hostile(folder: Path) -> bool:
    """Measure the honest portal for ten minutes alone, and for ten beside the hostile ones."""
    figures = compare(*asyncio.run(measure(SqliteDatabases(folder).create(), HOSTILE_S)))
    is_kept = report(f"An honest portal, {HOSTILE_S:.0f} s alone, then beside hostile ones", figures)
    print("Hostile portals: " + ("every limit was kept" if is_kept else "a limit was missed"))
    return is_kept


PARTS: dict[str, Callable[[Path], bool]] = {
    "hostile": run_hostile,
    "killed": run_killed,
    "months": lambda _: run_months(),
    "upgrades": run_upgrades,
}


def main(names: list[str]) -> int:
    """Run every part that is asked for, also after one has failed."""
    if unknown := set(names) - set(PARTS):
        raise SystemExit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    configure_logging("console", "error")
    with tempfile.TemporaryDirectory() as folder:
        results = [PARTS[name](Path(folder)) for name in names or PARTS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
