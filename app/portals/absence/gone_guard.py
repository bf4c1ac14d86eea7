"""Holds back every unannounced erasure while too many portals seem to be gone at the same time.

The erasures wait for the vendor: the health check tells of them, and the vendor answers with `portals gone`.
"""

import structlog

from app.kit.clock import Clock
from app.portals.absence import gone_rules, uninstall_queries
from app.portals.fact_queries import delete_fact, read_fact, write_fact_once

log = structlog.get_logger(__name__)
QUESTION = "many_portals_gone"
ASKED = "asked"


async def is_question_open() -> bool:
    """Whether Callbook still waits for the vendor's word on whether these portals are really gone."""
    return await read_fact(QUESTION) is not None


async def is_holding(now: int) -> bool:
    """Whether unannounced erasures are held back now; asks the vendor as soon as too many portals seem to be
    gone.
    """
    if await is_question_open():
        return True
    count = gone_rules.count_within_a_day(await uninstall_queries.list_times_gone())
    if count <= gone_rules.MOST_GONE:
        return False
    if not gone_rules.is_unlikely(count, await uninstall_queries.count_installed()):
        return False
    log.error("many portals say that they are gone", portals=count)
    await write_fact_once(QUESTION, ASKED, now)
    return True


async def accept(clock: Clock) -> None:
    """The vendor confirms that these portals are gone: each counts as uninstalled once it has given the same
    answer five times.
    """
    await uninstall_queries.accept_gone(clock.now(), len(gone_rules.ASK_AGAIN_AFTER_S) - 1)
    await delete_fact(QUESTION, ASKED)


async def keep() -> None:
    """The vendor denies that these portals are gone: their notes are deleted, and their pairs are tried
    again.
    """
    await uninstall_queries.keep_gone()
    await delete_fact(QUESTION, ASKED)
