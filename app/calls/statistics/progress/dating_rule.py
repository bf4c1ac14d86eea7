"""Whether a read may date "complete up to": the one rule, with its reasons. Pure."""

from typing import Literal

import msgspec

from app.calls.statistics.progress.read_schedule import DAY_S

# A quiet portal is compared once a day: one comparison may fail and the next one too.
AUDITED_WITHIN_S = 2 * DAY_S
Doubt = Literal["nothing_shown", "newest_not_shown", "not_compared"]


class Seen(msgspec.Struct, frozen=True):
    """What a read saw of a portal's statistics, as ids (0: none), and what was known of them.

    `known_id`: the highest before it. `shown_id`: the highest that the portal showed when it was asked for it
    afterwards; None: it was not. `compared_ago_s`: how long before the read the portal's count last agreed;
    None: never, or not before the first read.
    """

    newest_id: int
    known_id: int
    has_known: bool
    shown_id: int | None = None
    compared_ago_s: int | None = None


def find_doubt(seen: Seen) -> Doubt | None:
    """Why nothing may be said of the moment when the read began; None: all that was shown then is stored.

    Rights may have gone for a minute, or a batch may have been answered with empty pages.
    """
    if not seen.newest_id and seen.has_known:
        return "nothing_shown"
    if seen.newest_id < (seen.known_id if seen.shown_id is None else seen.shown_id):
        return "newest_not_shown"
    if seen.compared_ago_s is not None and seen.compared_ago_s > AUDITED_WITHIN_S:
        return "not_compared"
    return None
