"""When a portal counts as silent, and how long the vendor is told of it before it is erased. Pure."""

from enum import Enum

from app.portals.model import Portal

DAY_S = 24 * 3600
SILENT_FOR_S = 90 * DAY_S  # A quarter: long past any holiday, and past what a lapsed token is renewed by.
WARNED_FOR_S = 30 * DAY_S  # Time for the vendor to ask the customer.


class Step(Enum):
    """What is to be done about a portal now."""

    WAIT = "wait"
    WARN = "warn"
    ERASE = "erase"


def quiet_since(portal: Portal) -> int | None:
    """Since when neither its pair lived nor an event, page or session came; None while its pair lives."""
    if not portal.is_installed or portal.token_state == "ok" or not portal.dead_since:
        return None
    return max(portal.dead_since, portal.last_event_at or 0, portal.seen_at)


def erased_for_silence_at(portal: Portal) -> int | None:
    """When it is erased if it stays silent; None until that is 30 days away.

    The 30 days begin when the vendor could first be told, so that neither a restored backup nor a clock that
    was ahead shortens them.
    """
    since = quiet_since(portal)
    if since is None or portal.silence_warned_at < since + SILENT_FOR_S - WARNED_FOR_S:
        return None
    return portal.silence_warned_at + WARNED_FOR_S


def decide_silence(portal: Portal, now: int) -> Step:
    """What its silence asks for now."""
    since, erase_at = quiet_since(portal), erased_for_silence_at(portal)
    if since is None or now < since + SILENT_FOR_S - WARNED_FOR_S:
        return Step.WAIT
    if erase_at is None:
        return Step.WARN
    return Step.ERASE if now >= erase_at else Step.WAIT
