"""Commits that need not outlive a power cut: nobody was told of them, and they are made again or are no loss.

SQLite then hands them to the system without waiting for the disk (`synchronous = NORMAL`), which is fifteen
times as fast; the next other commit that changes anything makes them durable too, and in their order.
A killed process loses none. PostgreSQL's commits share their waits, so there nothing differs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_light: ContextVar[bool] = ContextVar("is_light", default=False)


@contextmanager
def commit_lightly() -> Iterator[None]:
    """While inside, commits are light, and so are those of tasks that begin here."""
    token = _is_light.set(True)
    try:
        yield
    finally:
        _is_light.reset(token)


def is_light() -> bool:
    """Whether commits are light here."""
    return _is_light.get()
