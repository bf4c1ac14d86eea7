"""How many new pairs of tokens are bought: one rule for whatever the reason is. Pure.

Bitrix24 may block an application that refreshes hourly. A portal can say that a token has expired whenever it
likes, so nothing here goes by its word: our own record says when the stored pair came, and when a pair was
last bought, or may have been, as when an answer broke off.

A record that lies in the future was written before the clock was set back: nobody knows how old it is, so it
counts for as long as one of the past would, and not until that future comes.
"""

from enum import Enum
from typing import Protocol

HOUR_S = 3600
REST_S = 6 * HOUR_S  # Four a day.
ALIVE_FOR_S = 60  # So long a token must live on, or it might expire on the way.
# A token lives for an hour. A person who waits gets a new one then, and no sooner, whatever the portal says.
PERSON_REST_S = HOUR_S - 5 * ALIVE_FOR_S


class Cause(Enum):
    """Why a pair is to be bought."""

    OWN_WORK = "own work"  # Whatever runs by itself, and checks of what anybody can forge.
    PERSON = "person"  # Somebody plays a recording or opens a transcript.


class Pair(Protocol):
    """When the stored pair came and expires, by our clock."""

    @property
    def access_expires_at(self) -> int: ...  # noqa: D102  As in app.portals.tables.
    @property
    def pair_stored_at(self) -> int: ...  # noqa: D102
    @property
    def pair_bought_at(self) -> int: ...  # noqa: D102


def is_alive(pair: Pair, now: int) -> bool:
    """Whether a read with the stored token costs no refresh, if the portal keeps its word."""
    return pair.access_expires_at > now + ALIVE_FOR_S


def may_buy(pair: Pair, cause: Cause, now: int) -> bool:
    """Whether a new pair may be bought now."""
    return abs(now - pair.pair_bought_at) >= (PERSON_REST_S if cause is Cause.PERSON else REST_S)


def is_affordable(pair: Pair, now: int) -> bool:
    """Whether work of our own costs no refresh, or one of the four a day.

    It lets a pair that an administrator's page brought live out too: where one comes daily, none is bought.
    """
    return is_alive(pair, now) or abs(now - max(pair.pair_bought_at, pair.pair_stored_at)) >= REST_S
