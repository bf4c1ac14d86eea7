"""How fast a portal's statistics may be read: pages in a batch, and seconds of rest. Pure.

Documentation: limits.md, settings/performance/limits.md (480 s of a method's execution time in ten minutes;
a request must end within 60 s).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.kit.calendar import LAST, read_date
from app.kit.json_values import read_finite

FIRST_PAGES = 10
MOST_PAGES = 50
REQUEST_S = 20.0  # The planned time of a batch: a third of the time that a portal allows.
OPERATING_S = 480.0
OPERATING_SPARE = 0.9
OPERATING_WINDOW_S = 600
DAY_S = 86_400.0  # A longer time in an answer is not believed.

Times = Mapping[str, Any]  # The `time` block of an answer.


def plan_pages(pages: int, duration_s: float) -> int:
    """How many pages to ask for in the next batch, after `pages` pages took `duration_s` seconds."""
    page_s = duration_s / max(pages, 1)
    return MOST_PAGES if page_s <= 0 else max(1, int(min(MOST_PAGES, REQUEST_S / page_s + 1e-9)))


def plan_rest(times: Iterable[Times], pages: int, page_s: float) -> int:
    """Seconds to rest before the next `pages` pages, if the method's execution time would run out with them;
    else 0. `times` are the blocks of the answered commands.
    """
    rest_s = 0
    for block in times:
        operating = read_finite(block.get("operating"), 0, DAY_S)
        if operating is not None and operating + pages * page_s > OPERATING_S * OPERATING_SPARE:
            rest_s = max(rest_s, read_rest(block))
    return rest_s


def read_rest(block: Times) -> int:
    """Seconds until the portal begins a new count of execution time, by its own clock; ten minutes if it does
    not say.
    """
    reset_at, now = read_finite(block.get("operating_reset_at"), 0, LAST), read_moment(block)
    if reset_at is None or now is None:
        return OPERATING_WINDOW_S
    return int(min(max(reset_at - now, 0), OPERATING_WINDOW_S)) + 1


def read_moment(block: Times) -> int | None:
    """When the request began by the portal's clock (`date_start`), in Unix seconds; None if it does not
    say.
    """
    return read_date(block.get("date_start"))


def read_duration(block: Times) -> float | None:
    """Seconds that the request took, by the portal's word; None if it does not say."""
    return read_finite(block.get("duration"), 0, DAY_S)
