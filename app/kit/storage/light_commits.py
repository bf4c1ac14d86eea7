"""Light commits, which a power cut may undo: nobody was told that they were stored, and their work is
repeated or can be lost.

SQLite hands them to the system without waiting for the disk (`synchronous = NORMAL`), which is fifteen times
as fast. The next full commit that changes anything makes them durable too, in their order. A killed process
loses none. On PostgreSQL, whose commits share one wait for the disk, a light commit is like any other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_light: ContextVar[bool] = ContextVar("is_light", default=False)


@contextmanager
def commit_lightly() -> Iterator[None]:
    """While inside, commits are light, also in tasks that begin here."""
    token = _is_light.set(True)
    try:
        yield
    finally:
        _is_light.reset(token)


def is_light() -> bool:
    """Whether commits are light here."""
    return _is_light.get()
