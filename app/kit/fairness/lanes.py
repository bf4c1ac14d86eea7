"""Whose queries run: every request has a lane, which its portal and user claim once they are known, and so
has what runs in the background, for a portal or for all.

The database gives its connections in turns by lane. What has no lane (events, strangers, the command line,
and the single rows that everything begins with) waits for none of these.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Lane:
    """A portal's and a user's, or nobody's while `portal_id` is None. Tasks within a request share it.

    `lasts_from`: from this moment of the loop's clock on, the work of the background counts as lasting.
    """

    __slots__ = ("is_background", "lasts_from", "portal_id", "user_id")

    def __init__(
        self, portal_id: int | None = None, *, is_background: bool = False, lasts_from: float = math.inf
    ) -> None:
        self.portal_id = portal_id
        self.user_id = 0
        self.is_background = is_background
        self.lasts_from = lasts_from

    @property
    def is_lasting(self) -> bool:
        """Whether it makes way for the background's work that is short."""
        return asyncio.get_running_loop().time() >= self.lasts_from


_current: ContextVar[Lane | None] = ContextVar("lane", default=None)


@contextmanager
def use_lane(lane: Lane | None) -> Iterator[None]:
    """While inside, queries run in this lane, and so do those of tasks that begin here."""
    token = _current.set(lane)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def use_background(portal_id: int | None = None) -> Iterator[None]:
    """While inside, queries run in the background, by default for the portal for which they ran before."""
    lane = _current.get()
    if portal_id is None and lane is not None:
        portal_id = lane.portal_id
    is_same = lane is not None and lane.is_background and lane.portal_id == portal_id
    with use_lane(lane if is_same else Lane(portal_id, is_background=True)):
        yield


@contextmanager
def use_new_background() -> Iterator[None]:
    """The same in a lane of its own: a task that begins in work that lasts need not last."""
    lane = _current.get()
    with use_lane(Lane(None if lane is None else lane.portal_id, is_background=True)):
        yield


@contextmanager
def use_no_lane() -> Iterator[None]:
    """While inside, queries wait for nobody's: only for a single row, found by its key."""
    with use_lane(None):
        yield


def claim_lane(portal_id: int, user_id: int) -> None:
    """From here on the request that runs is this user's; nothing outside of requests."""
    lane = _current.get()
    if lane is not None and not lane.is_background:
        lane.portal_id, lane.user_id = portal_id, user_id


def find_lane() -> Lane | None:
    """The lane that is used here: a user's, one of the background, or None."""
    lane = _current.get()
    return lane if lane is not None and (lane.is_background or lane.portal_id is not None) else None
