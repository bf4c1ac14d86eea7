"""Witnesses: the pairs of other portals show whether `invalid_client` is about one portal or our own secret.

A witness costs its portal a pair, or a refused request, so witnesses take turns. A portal that bought a pair
within the last six hours is not asked. Portals that this process has not asked in that time come first.
"""

from collections.abc import Awaitable, Callable
from enum import Enum

from app.kit.clock import Clock
from app.portals.model import Portal
from app.portals.tokens.client_secret import (
    is_asking_pointless,
    note_accepted,
    note_rejected,
    was_accepted_lately,
)
from app.portals.tokens.purchase_queries import is_another_busy, is_another_resting, list_witnesses
from app.portals.tokens.refresh_budget import REST_S

MAX_WITNESSES = 3
# Returns whether our secret was accepted, or None if the answer does not show it.
Ask = Callable[[Portal], Awaitable[bool | None]]


class Word(Enum):
    """The conclusion on our own client secret."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    BUSY = "busy"  # Unknown yet: the possible witnesses are just refreshing for themselves.


class Witnesses:
    """Finds witnesses, asks them, and notes the result."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: dict[int, int] = {}  # The time at which each witness was asked, by portal.

    async def find_word(self, portal_id: int, ask: Ask) -> Word:
        """The conclusion on our secret, which was refused with this portal's pair.

        REJECTED if all witnesses were refused too, or there is no other portal. UNKNOWN or BUSY while the
        possible witnesses rest, refresh for themselves, or give no clear answer.
        """
        witnesses = await self._choose(portal_id)
        answers = []
        for witness in witnesses:
            if await was_accepted_lately(self._clock.now()):  # Another refresh has shown it by now.
                return Word.ACCEPTED
            self._heard[witness.id] = self._clock.now()
            answers.append(await ask(witness))
            if answers[-1]:
                await note_accepted(self._clock.now())
                return Word.ACCEPTED
        if await was_accepted_lately(self._clock.now()):
            return Word.ACCEPTED
        return await self._weigh(portal_id, answers)

    async def _choose(self, portal_id: int) -> list[Portal]:
        now = self._clock.now()
        self._heard = {heard: at for heard, at in self._heard.items() if abs(now - at) < REST_S}
        fresh = await list_witnesses(portal_id, self._heard, now, REST_S, MAX_WITNESSES)
        if fresh or await is_another_resting(portal_id, now, REST_S):
            return fresh
        return await list_witnesses(portal_id, (), now, REST_S, MAX_WITNESSES)

    async def _weigh(self, portal_id: int, answers: list[bool | None]) -> Word:
        now = self._clock.now()
        if await is_asking_pointless(now):
            return Word.REJECTED
        if not answers or None in answers:
            if await is_another_busy(portal_id, now):
                return Word.BUSY
            if answers or await is_another_resting(portal_id, now, REST_S):
                return Word.UNKNOWN
        await note_rejected(now)
        return Word.REJECTED
