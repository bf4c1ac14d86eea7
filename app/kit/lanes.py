"""Whose queries run: every request has a lane, which its portal and user claim once they are known.

The database gives its connections in turns by lane. What has no lane (events, strangers, the command line)
waits for none of these; what runs in the background has one of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Lane:
    """A portal's and a user's, or nobody's while `portal_id` is None. Tasks within a request share it."""

    __slots__ = ("portal_id", "user_id")

    def __init__(self) -> None:
        self.portal_id: int | None = None
        self.user_id = 0


BACKGROUND = Lane()
_current: ContextVar[Lane | None] = ContextVar("lane", default=None)


@contextmanager
def use_lane(lane: Lane) -> Iterator[None]:
    """While inside, queries run in this lane, and so do those of tasks that begin here."""
    token = _current.set(lane)
    try:
        yield
    finally:
        _current.reset(token)


def claim_lane(portal_id: int, user_id: int) -> None:
    """From here on the request that runs is this user's; nothing outside of requests."""
    lane = _current.get()
    if lane is not None and lane is not BACKGROUND:
        lane.portal_id, lane.user_id = portal_id, user_id


def find_lane() -> Lane | None:
    """The lane that is used here: a user's, BACKGROUND, or None."""
    lane = _current.get()
    return lane if lane is BACKGROUND or (lane is not None and lane.portal_id is not None) else None
