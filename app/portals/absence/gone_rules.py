"""Portals that seem to be gone though no event said so: when they are asked again, and when so many of them
are rather a fault of ours, as after a restored backup, or of the authorization server's. Pure.
"""

from collections.abc import Iterable

# From the event, or the first answer, on: minutes after a slow uninstall, and after any bad day.
ASK_AGAIN_AFTER_S = (60, 600, 3600, 24 * 3600)
NOTHING_LEARNT_AGAIN_S = 3600
DAY_S = 24 * 3600
MOST_GONE = 3  # So many may well uninstall on one day, unseen by us.
MOST_GONE_PERCENT = 1


def plan_next(attempts: int, *, is_said: bool, is_held: bool) -> tuple[int, int] | None:
    """After a question: how many like answers count so far, and in how many seconds to ask again; None when
    it counts as an uninstall.

    `is_said`: this answer was the same, not silence; `is_held`: too many others say so, so it is asked on
    each day until the vendor has answered.
    """
    said = attempts + is_said
    if said < len(ASK_AGAIN_AFTER_S):
        return said, ASK_AGAIN_AFTER_S[said] if is_said else NOTHING_LEARNT_AGAIN_S
    return (attempts, DAY_S) if is_held else None


def is_unlikely(gone: int, installed: int) -> bool:
    """Whether more portals say so within a day than uninstall an application without any event."""
    return gone > MOST_GONE and gone * 100 > MOST_GONE_PERCENT * installed


def count_within_a_day(times: Iterable[int]) -> int:
    """The most of these moments (Unix seconds) that lie within any 24 hours."""
    ordered = sorted(times)
    most = first = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= DAY_S:
            first += 1
        most = max(most, last - first + 1)
    return most
