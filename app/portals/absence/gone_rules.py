"""Portals that seem to be gone although no event announced it: when Callbook asks again, and how many are too
many to be real uninstalls. Too many show a fault: ours, as after a restored backup, or the authorization
server's. Pure.
"""

from collections.abc import Iterable

# Seconds from each question to the next: minutes for a slow uninstall, a day for a server's bad day.
ASK_AGAIN_AFTER_S = (60, 600, 3600, 24 * 3600)
NOTHING_LEARNT_AGAIN_S = 3600
DAY_S = 24 * 3600
MOST_GONE = 3  # So many may uninstall on one day without an event.
MOST_GONE_PERCENT = 1


def plan_next(attempts: int, *, is_said: bool, is_held: bool) -> tuple[int, int] | None:
    """(answers "gone" so far, seconds until the next question); None if these answers now count as an
    uninstall.

    `is_said`: the last answer was "gone" again, and not silence. `is_held`: too many other portals seem to be
    gone too. Then a portal whose answers would count is asked again once a day, until the vendor has
    answered.
    """
    said = attempts + is_said
    if said < len(ASK_AGAIN_AFTER_S):
        return said, ASK_AGAIN_AFTER_S[said] if is_said else NOTHING_LEARNT_AGAIN_S
    return (attempts, DAY_S) if is_held else None


def is_unlikely(gone: int, installed: int) -> bool:
    """Whether more portals seem to be gone within a day than would really uninstall without an event."""
    return gone > MOST_GONE and gone * 100 > MOST_GONE_PERCENT * installed


def count_within_a_day(times: Iterable[int]) -> int:
    """The greatest number of these moments (Unix seconds) within any 24 hours."""
    ordered = sorted(times)
    most = first = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= DAY_S:
            first += 1
        most = max(most, last - first + 1)
    return most
