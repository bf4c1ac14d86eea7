"""Callbook on a machine whose wall clock the test sets. ``python -m tests.roles.stepped serve``

CLOCK_FILE holds the error of the clock in seconds. All readers of the time of day get it: Callbook's own
clock, and APScheduler, which asks for a date. Monotonic time stays the machine's: no step moves it.
"""

import os
import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path

from apscheduler.schedulers import base
from apscheduler.triggers import interval

from app.__main__ import main
from tests.month.clock import SharedClock

read_machine = time.time


class SteppedDate(datetime):
    """The date by the stepped clock."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "SteppedDate":
        return cls.fromtimestamp(time.time(), tz)


if __name__ == "__main__":
    wrong_s = SharedClock(Path(os.environ["CLOCK_FILE"]))
    time.time = lambda: read_machine() + wrong_s.now()
    base.datetime = interval.datetime = SteppedDate
    sys.exit(main())
