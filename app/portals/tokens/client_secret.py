"""The last word of the authorization servers on our own client secret, common to all processes."""

from app.portals.fact_queries import is_fact, is_recent_fact, write_fact

NAME = "client_secret_answer"
PAUSE_S = 60
TRUSTED_S = 600  # Long enough for many portals at once, short enough for a secret that has just been changed.


async def note_accepted(now: int) -> None:
    """Note that our secret is right: a pair was bought, or the server refused the pair and not the secret."""
    await write_fact(NAME, "accepted", now)


async def note_rejected(now: int) -> None:
    """Note that our secret is wrong: it was refused with every pair that was tried."""
    await write_fact(NAME, "rejected", now)


async def is_client_secret_rejected() -> bool:
    """Whether the last word on our client secret was a refusal; then the health check is red."""
    return await is_fact(NAME, "rejected")


async def was_accepted_lately(now: int) -> bool:
    """Whether our secret was accepted in the last ten minutes; then a refusal of it is about one portal."""
    return await is_recent_fact(NAME, "accepted", now, TRUSTED_S)


async def is_asking_pointless(now: int) -> bool:
    """Whether our secret was refused less than a minute ago; then another attempt only counts against us."""
    return await is_recent_fact(NAME, "rejected", now, PAUSE_S - 1)
