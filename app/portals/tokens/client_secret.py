"""What the authorization servers said last of our own client secret: one word for all processes."""

from app.portals.fact_queries import is_fact, is_recent_fact, write_fact

NAME = "client_secret_answer"
PAUSE_S = 60
TRUSTED_S = 600  # Long enough for many portals at once, short enough for a secret that has just been changed.


async def note_accepted(now: int) -> None:
    """A pair was bought, or refused for its own sake."""
    await write_fact(NAME, "accepted", now)


async def note_rejected(now: int) -> None:
    """All who were asked said that our secret is wrong."""
    await write_fact(NAME, "rejected", now)


async def is_client_secret_rejected() -> bool:
    """Whether the last word on our client secret was no ("health is red")."""
    return await is_fact(NAME, "rejected")


async def was_accepted_lately(now: int) -> bool:
    """Whether our secret was accepted minutes ago, so that a refusal of it is about one portal alone."""
    return await is_recent_fact(NAME, "accepted", now, TRUSTED_S)


async def is_asking_pointless(now: int) -> bool:
    """Whether our secret was refused less than a minute ago: another attempt would only be counted against
    us.
    """
    return await is_recent_fact(NAME, "rejected", now, PAUSE_S - 1)
