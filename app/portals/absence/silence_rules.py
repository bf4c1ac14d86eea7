"""When a portal counts as silent, and how long the vendor is warned before it is erased. Pure."""

from enum import Enum

from app.portals.model import Portal

DAY_S = 24 * 3600
# A quarter of a year. Both a holiday and the time until a page renews a lapsed token are shorter.
SILENT_FOR_S = 90 * DAY_S
WARNED_FOR_S = 30 * DAY_S  # Time for the vendor to ask the customer.


class Step(Enum):
    """The action that a portal's silence asks for now."""

    WAIT = "wait"
    WARN = "warn"
    ERASE = "erase"


def quiet_since(portal: Portal) -> int | None:
    """The time since which its pair is dead and no event, page or session came; None while the pair lives."""
    if not portal.is_installed or portal.token_state == "ok" or not portal.dead_since:
        return None
    return max(portal.dead_since, portal.last_event_at or 0, portal.seen_at)


def erased_for_silence_at(portal: Portal) -> int | None:
    """The time at which the portal is erased if it stays silent; None until the vendor has been warned.

    The vendor has 30 days from the warning, so that neither a restored backup nor a clock that was ahead
    shortens them.
    """
    since = quiet_since(portal)
    if since is None or portal.silence_warned_at < since + SILENT_FOR_S - WARNED_FOR_S:
        return None
    return portal.silence_warned_at + WARNED_FOR_S


def decide_silence(portal: Portal, now: int) -> Step:
    """Wait, warn the vendor or erase, by the portal's silence up to now."""
    since, erase_at = quiet_since(portal), erased_for_silence_at(portal)
    if since is None or now < since + SILENT_FOR_S - WARNED_FOR_S:
        return Step.WAIT
    if erase_at is None:
        return Step.WARN
    return Step.ERASE if now >= erase_at else Step.WAIT
