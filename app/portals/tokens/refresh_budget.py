"""How many new pairs of tokens are bought: one rule for all reasons. Pure.

Bitrix24 may block an application that refreshes hourly. A portal can say at any time that a token has
expired, so the rule ignores the portal's word and goes by our own record: when the stored pair came, and when
a pair was last bought, or may have been bought (its answer broke off).

A record with a time in the future was written before the clock was set back. Its age is unknown, so it counts
as if it were equally far in the past. Else it would forbid purchases until that time comes.
"""

from enum import Enum
from typing import Protocol

HOUR_S = 3600
REST_S = 6 * HOUR_S  # Four a day.
ALIVE_FOR_S = 60  # A token with less time left might expire on the way.
# A token lives for an hour. A person who waits gets a new one after 55 minutes, and no earlier, even if the
# portal says that the token has expired.
PERSON_REST_S = HOUR_S - 5 * ALIVE_FOR_S


class Cause(Enum):
    """The cause of a purchase."""

    OWN_WORK = "own work"  # Jobs that run by themselves, and checks of requests that anyone can forge.
    PERSON = "person"  # A person plays a recording or opens a transcript.


class Pair(Protocol):
    """The times, by our clock, at which the stored pair came and expires, and a pair was last bought."""

    @property
    def access_expires_at(self) -> int: ...  # noqa: D102  As in app.portals.tables.
    @property
    def pair_stored_at(self) -> int: ...  # noqa: D102
    @property
    def pair_bought_at(self) -> int: ...  # noqa: D102


def is_alive(pair: Pair, now: int) -> bool:
    """Whether a read needs no refresh: by our record, the stored token lives for more than a minute."""
    return pair.access_expires_at > now + ALIVE_FOR_S


def may_buy(pair: Pair, cause: Cause, now: int) -> bool:
    """Whether a new pair may be bought now."""
    return abs(now - pair.pair_bought_at) >= (PERSON_REST_S if cause is Cause.PERSON else REST_S)


def is_affordable(pair: Pair, now: int) -> bool:
    """Whether work of our own may run now: the stored token is alive, or one of the day's four refreshes is
    due.

    A pair that an administrator's page brought counts like a bought one, so the next purchase is six hours
    after it.
    """
    return is_alive(pair, now) or abs(now - max(pair.pair_bought_at, pair.pair_stored_at)) >= REST_S
