"""Turns of many portals in one job, of which one that fails hinders no other."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger(__name__)


@contextmanager
def take_turn(job: str, portal_id: int) -> Iterator[None]:
    """While inside, one portal has its turn: what nobody expected is logged, and the next one goes on."""
    try:
        yield
    except Exception:
        log.exception("a portal's turn failed", job=job, portal_id=portal_id)
