"""Places that are waited for, in turns: portal by portal, and within a portal user by user."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.kit.places import Places, Share

Turn = asyncio.Future[None]


class FairQueue:
    """The places, and who waits for one. Whoever waits could not have one: each that comes free is given on
    at once.
    """

    def __init__(self, share: Share) -> None:
        self.places = Places(share)
        self._waiting: OrderedDict[int, OrderedDict[int, deque[Turn]]] = OrderedDict()

    @asynccontextmanager
    async def take(self, portal_id: int, user_id: int, wait_s: float | None = None) -> AsyncIterator[None]:
        """Hold a place while inside; raises TimeoutError when none came in so many seconds."""
        if self.places.find_full(portal_id, user_id) is None:
            self.places.enter(portal_id, user_id)
        else:
            async with asyncio.timeout(wait_s):
                await self._wait(portal_id, user_id)
        try:
            yield
        finally:
            self._leave(portal_id, user_id)

    async def _wait(self, portal_id: int, user_id: int) -> None:
        turn: Turn = asyncio.get_running_loop().create_future()
        users = self._waiting.setdefault(portal_id, OrderedDict())
        users.setdefault(user_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(portal_id, user_id, turn)
            else:  # It was given just before.
                self._leave(portal_id, user_id)
            raise

    def _leave(self, portal_id: int, user_id: int) -> None:
        self.places.leave(portal_id, user_id)
        while (following := self._find_next()) is not None:
            self._give(*following)

    def _find_next(self) -> tuple[int, int] | None:
        """Whose turn it is among those who may have a place: the longest without one."""
        for portal_id, users in self._waiting.items():
            for user_id in users:
                level = self.places.find_full(portal_id, user_id)
                if level is None:
                    return portal_id, user_id
                if level != "user":  # It is the same for all of the portal's users.
                    break
        return None

    def _give(self, portal_id: int, user_id: int) -> None:
        users = self._waiting[portal_id]
        turn = users[user_id][0]
        users.move_to_end(user_id)
        self._waiting.move_to_end(portal_id)
        self._forget(portal_id, user_id, turn)
        if not turn.cancelled():  # Else whoever waited has given up, and hears of it in a moment.
            self.places.enter(portal_id, user_id)
            turn.set_result(None)

    def _forget(self, portal_id: int, user_id: int, turn: Turn) -> None:
        users = self._waiting.get(portal_id, OrderedDict[int, deque[Turn]]())
        turns = users.get(user_id, deque())
        if turn not in turns:
            return
        turns.remove(turn)
        if not turns:
            del users[user_id]
        if not users:
            del self._waiting[portal_id]
