"""Holds back every erasure that nobody announced while too many portals say at once that they are gone.

What is held waits for the vendor, who is told by the health check and answers with `portals gone`.
"""

import structlog

from app.kit.clock import Clock
from app.portals.absence import gone_rules, uninstall_queries
from app.portals.fact_queries import delete_fact, read_fact, write_fact_once

log = structlog.get_logger(__name__)
QUESTION = "many_portals_gone"
ASKED = "asked"


async def is_question_open() -> bool:
    """Whether the vendor has yet to say what so many answers mean."""
    return await read_fact(QUESTION) is not None


async def is_holding(now: int) -> bool:
    """Whether nothing is erased now that no event announced; opens the question when it is time to."""
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
    """They are gone indeed: those that say so count, each once it has said so to the end."""
    await uninstall_queries.accept_gone(clock.now(), len(gone_rules.ASK_AGAIN_AFTER_S) - 1)
    await delete_fact(QUESTION, ASKED)


async def keep() -> None:
    """They are not: what they said is forgotten, and their pairs are tried again."""
    await uninstall_queries.keep_gone()
    await delete_fact(QUESTION, ASKED)
