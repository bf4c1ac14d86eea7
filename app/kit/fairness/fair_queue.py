"""A queue for places: waiting users get them in turns, portal by portal, and within a portal user by user."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from app.kit.fairness.places import Bounds, Places

Turn = asyncio.Future[None]


class FairQueue:
    """The places, and the users that wait for one. A place that comes free is given at once to a user who
    waits and may have it.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.places = Places(bounds)
        self._is_stopped = False
        self._waiting: OrderedDict[Hashable, OrderedDict[Hashable, deque[Turn]]] = OrderedDict()

    @asynccontextmanager
    async def take(
        self, portal: Hashable, user: Hashable, wait_s: float | None = None
    ) -> AsyncIterator[None]:
        """Hold a place while the context lasts; raises TimeoutError when none came within `wait_s`."""
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
        """Raise TimeoutError at once in all waiting callers, and from now on in every caller that
        would wait.
        """
        self._is_stopped = True
        turns = [turn for users in self._waiting.values() for queue in users.values() for turn in queue]
        self._waiting.clear()
        for turn in turns:
            if not turn.done():
                turn.set_exception(TimeoutError())

    def release(self, portal: Hashable, user: Hashable = None) -> None:
        """Give a place back; it goes to the user whose last turn is longest ago, among the users that may
        have a place.
        """
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
            elif turn.exception() is None:  # The place was given just before.
                self.release(portal, user)
            raise

    def _find_next(self) -> tuple[Hashable, Hashable] | None:
        """The portal and the user that get the next place: the user whose last turn is longest ago, among the
        waiting users that may have a place. None when there is no such user.
        """
        for portal, users in self._waiting.items():
            for user in users:
                level = self.places.find_full(portal, user)
                if level is None:
                    return portal, user
                if level != "user":  # The other bounds stop all of the portal's users.
                    break
        return None

    def _give(self, portal: Hashable, user: Hashable) -> None:
        users = self._waiting[portal]
        turn = users[user][0]
        users.move_to_end(user)
        self._waiting.move_to_end(portal)
        self._forget(portal, user, turn)
        if not turn.cancelled():  # A cancelled turn takes no place: its task is about to end.
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
