"""Portals without a sign of life: after two months a warning to the vendor, a month later erasure.

Decision 0024 says why.
"""

import structlog

from app.kit.clock import Clock
from app.portals import queries
from app.portals.absence import gone_guard, silence_queries
from app.portals.absence.silence_rules import DAY_S, SILENT_FOR_S, WARNED_FOR_S, Step, decide_silence
from app.portals.departure.erasure import Calls, Erasure
from app.portals.model import Portal

log = structlog.get_logger(__name__)


def is_seeing_due(portal: Portal, now: int) -> bool:
    """Whether a sign of life is to be noted: one a day is enough."""
    return not now - DAY_S < portal.seen_at <= now


async def note_seen(portal: Portal, now: int) -> None:
    """Note a sign of life of this portal, by one statement a day at most."""
    if is_seeing_due(portal, now):
        await silence_queries.note_seen(portal.id, now, now - DAY_S)


async def list_quiet(clock: Clock, limit: int) -> list[Portal]:
    """The portals that the vendor is to be warned of, or that are to be erased."""
    now = clock.now()
    await silence_queries.date_dead_pairs(now)
    return await silence_queries.list_silent(now - SILENT_FOR_S + WARNED_FOR_S, now - WARNED_FOR_S, limit)


async def end_if_silent(portal_id: int, erasure: Erasure, clock: Clock) -> None:
    """Warn the vendor of this portal, or erase it if its time has come and no question to the vendor is
    open.
    """
    portal, now = await queries.get_portal(portal_id), clock.now()
    if portal is None:
        return
    match decide_silence(portal, now):
        case Step.WARN:
            await silence_queries.note_warned(portal, now)
            log.warning("portal silent", portal_id=portal.id, member_id=portal.member_id)
        case Step.ERASE if not await gone_guard.is_question_open():
            if await erasure.uninstall(portal, Calls.ERASED):
                log.warning("portal erased for silence", portal_id=portal.id)
                await erasure.finish(portal.id)
