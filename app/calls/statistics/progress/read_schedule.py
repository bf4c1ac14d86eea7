"""When a portal's statistics are read forward: as its traffic asks, and as its tokens allow. Pure.

A read with a token that lives costs one request or a few. A read with an expired token buys a new pair first;
`app.portals.tokens.refresh_budget` says when it may.
"""

HOUR_S = 3600
DAY_S = 24 * HOUR_S
WINDOW_S = 2 * DAY_S  # Each read looks at these calls again.
FULL_WINDOW_S = 30 * DAY_S  # Once a day a read looks at these.
FULL_EVERY_S = (
    20 * HOUR_S
)  # Less than the longest interval, so that a quiet portal's daily read is a full one.
SHORTEST_S = HOUR_S // 4
LONGEST_S = DAY_S
CALLS_A_READ = 4  # If one event in ten is lost, every second or third read finds a call.
TRAFFIC_S = 2 * DAY_S
MOST_COUNTED = 2 * DAY_S * CALLS_A_READ // SHORTEST_S  # With this many calls the interval is the shortest.
SPREAD = 10  # Intervals are up to a tenth shorter, so that portals installed together are not read together.
ALIVE_FOR_FULL_S = 600
# For so long after the beginning of a whole read, evidence causes no other read. The next read finds the
# calls of all that time.
READ_EVERY_S = 60
FIRST_DELAY_S = 300
LONGEST_DELAY_S = 6 * HOUR_S
LATE_FACTS_S = 300  # A recording and the card of the CRM come within minutes.


def plan_interval(portal_id: int, recent_calls: int) -> int:
    """Seconds until the next read after one that succeeded; `recent_calls` started within TRAFFIC_S."""
    interval_s = LONGEST_S if recent_calls == 0 else TRAFFIC_S * CALLS_A_READ // recent_calls
    interval_s = max(SHORTEST_S, min(LONGEST_S, interval_s))
    return interval_s - interval_s * (portal_id % SPREAD) // SPREAD**2


def plan_delay(failures: int) -> int:
    """Seconds to wait after this many failed reads in a row."""
    doubled: int = FIRST_DELAY_S * 2 ** min(max(failures - 1, 0), 20)
    return min(doubled, LONGEST_DELAY_S)


def is_full_due(full_read_at: int | None, access_expires_at: int, now: int) -> bool:
    """Whether the next read goes back 30 days: once a day, but not shortly before the token expires."""
    is_too_short = now < access_expires_at < now + ALIVE_FOR_FULL_S
    return not is_too_short and (full_read_at is None or not 0 <= now - full_read_at < FULL_EVERY_S)
