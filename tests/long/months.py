"""Ten months of a portal with most faults that there are, on both databases in turn, two at a time.

Each is a process of its own: `python -m tests.month SEED DATABASE` lives through one of them alone.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.processes import ROOT

SEEDS = range(1, 11)
DATABASES = ("sqlite", "postgresql")
AT_ONCE = 2  # As many as `make long` has cores.


def run_months() -> bool:
    """Print what each of them says; whether the log never lied and was equal in the end in all."""
    with ThreadPoolExecutor(AT_ONCE) as places:
        results = [*places.map(_live, SEEDS)]  # All of them, whatever the first one finds.
    return all(results)


def _live(seed: int) -> bool:
    command = (sys.executable, "-m", "tests.month", str(seed), DATABASES[seed % len(DATABASES)])
    month = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    print(month.stdout or month.stderr, flush=True)
    return month.returncode == 0
