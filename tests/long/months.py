"""Ten months of a portal with most kinds of faults, on both databases in turn, two at a time.

Each month is a process of its own: `python -m tests.month SEED DATABASE` runs one of them alone.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.processes import ROOT

SEEDS = range(1, 11)
DATABASES = ("sqlite", "postgresql")
AT_ONCE = 2  # The number of cores that `make long` has.


def run_months() -> bool:
    """Print the report of each month; return whether in all of them the log never claimed too much and was
    equal at the end.
    """
    with ThreadPoolExecutor(AT_ONCE) as places:
        results = [*places.map(_live, SEEDS)]  # All months, also after a fault in the first.
    print(f"Months: {sum(results)} of {len(results)} ended equal, without a false claim at any look")
    return all(results)


def _live(seed: int) -> bool:
    command = (sys.executable, "-m", "tests.month", str(seed), DATABASES[seed % len(DATABASES)])
    month = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    print(month.stdout or month.stderr, flush=True)
    return month.returncode == 0
