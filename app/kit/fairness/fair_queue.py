"""Places that are waited for, in turns: portal by portal, and within a portal user by user."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from app.kit.fairness.places import Places, Share

Turn = asyncio.Future[None]


class FairQueue:
    """The places, and who waits for one. Whoever waits could not have one: each that comes free is given on
    at once.
    """

    def __init__(self, share: Share) -> None:
        self.places = Places(share)
        self._is_stopped = False
        self._waiting: OrderedDict[Hashable, OrderedDict[Hashable, deque[Turn]]] = OrderedDict()

    @asynccontextmanager
    async def take(
        self, portal: Hashable, user: Hashable, wait_s: float | None = None
    ) -> AsyncIterator[None]:
        """Hold a place while inside; raises TimeoutError when none came in so many seconds."""
        await self.acquire(portal, user, wait_s)
        try:
            yield
        finally:
            self.release(portal, user)

    async def acquire(self, portal: Hashable, user: Hashable = None, wait_s: float | None = None) -> None:
        """Take a place, which `release` gives back; raises as `take` does."""
        if self.places.find_full(portal, user) is None:
            self.places.enter(portal, user)
            return
        if self._is_stopped:
            raise TimeoutError
        async with asyncio.timeout(wait_s):
            await self._wait(portal, user)

    def stop(self) -> None:
        """Let whoever waits, and whoever would from now on, hear at once that no place comes."""
        self._is_stopped = True
        turns = [turn for users in self._waiting.values() for queue in users.values() for turn in queue]
        self._waiting.clear()
        for turn in turns:
            if not turn.done():
                turn.set_exception(TimeoutError())

    def release(self, portal: Hashable, user: Hashable = None) -> None:
        """Give a place back, and on to whoever waits longest for their turn."""
        self.places.leave(portal, user)
        while (following := self._find_next()) is not None:
            self._give(*following)

    async def _wait(self, portal: Hashable, user: Hashable) -> None:
        turn: Turn = asyncio.get_running_loop().create_future()
        users = self._waiting.setdefault(portal, OrderedDict())
        users.setdefault(user, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(portal, user, turn)
            elif turn.exception() is None:  # It was given just before.
                self.release(portal, user)
            raise

    def _find_next(self) -> tuple[Hashable, Hashable] | None:
        """Whose turn it is among those who may have a place: the longest without one."""
        for portal, users in self._waiting.items():
            for user in users:
                level = self.places.find_full(portal, user)
                if level is None:
                    return portal, user
                if level != "user":  # It is the same for all of the portal's users.
                    break
        return None

    def _give(self, portal: Hashable, user: Hashable) -> None:
        users = self._waiting[portal]
        turn = users[user][0]
        users.move_to_end(user)
        self._waiting.move_to_end(portal)
        self._forget(portal, user, turn)
        if not turn.cancelled():  # Else whoever waited has given up, and hears of it in a moment.
            self.places.enter(portal, user)
            turn.set_result(None)

    def _forget(self, portal: Hashable, user: Hashable, turn: Turn) -> None:
        users = self._waiting.get(portal, OrderedDict[Hashable, deque[Turn]]())
        turns = users.get(user, deque())
        if turn not in turns:
            return
        turns.remove(turn)
        if not turns:
            del users[user]
        if not users:
            del self._waiting[portal]
