"""Lanes tell for which portal and user a query runs. Every request has one, marked with its portal and user
once they are known; background work has one too, for a portal or for all portals.

The database gives its connections in turns by lane. A query without a lane waits for no lane. Such are the
queries for events, for strangers and for the command line, and the reads of single rows with which every
request begins.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Lane:
    """The lane of a portal's user, or of nobody while `portal_id` is None. All tasks of a request share it.

    `lasts_from`: from this moment of the loop's clock on, background work counts as lasting.
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
        """Whether the work in this lane has lasted so long that short background work goes before it."""
        return asyncio.get_running_loop().time() >= self.lasts_from


_current: ContextVar[Lane | None] = ContextVar("lane", default=None)


@contextmanager
def use_lane(lane: Lane | None) -> Iterator[None]:
    """While inside, queries run in this lane; tasks that begin here use it too."""
    token = _current.set(lane)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def use_background(portal_id: int | None = None) -> Iterator[None]:
    """While inside, queries run in a background lane, by default that of the current lane's portal."""
    lane = _current.get()
    if portal_id is None and lane is not None:
        portal_id = lane.portal_id
    is_same = lane is not None and lane.is_background and lane.portal_id == portal_id
    with use_lane(lane if is_same else Lane(portal_id, is_background=True)):
        yield


@contextmanager
def use_new_background() -> Iterator[None]:
    """As `use_background`, but always in a new lane: a short task that lasting work begins must not count as
    lasting too.
    """
    lane = _current.get()
    with use_lane(Lane(None if lane is None else lane.portal_id, is_background=True)):
        yield


@contextmanager
def use_no_lane() -> Iterator[None]:
    """While inside, queries wait for no others. Only for the read of a single row by its key."""
    with use_lane(None):
        yield


def name_lane(portal_id: int, user_id: int) -> None:
    """Mark the lane of the running request as this user's; does nothing outside of requests."""
    lane = _current.get()
    if lane is not None and not lane.is_background:
        lane.portal_id, lane.user_id = portal_id, user_id


def find_lane() -> Lane | None:
    """The current lane of a user or of background work; None if there is no such lane."""
    lane = _current.get()
    return lane if lane is not None and (lane.is_background or lane.portal_id is not None) else None
