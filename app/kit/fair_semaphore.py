"""A semaphore whose places many share: so many for each key and over all, given in turns."""

from asyncio import CancelledError, Future, get_running_loop
from collections import Counter, OrderedDict, deque


class FairSemaphore:
    """`per_key` at once for each key and `overall` for all of them together.

    Of the last `reserve` places a key gets one only while it holds none, so that few keys cannot take all of
    them. Whoever waits is served by turns of the keys, and within a key in the order they came.
    """

    def __init__(self, per_key: int, overall: int, reserve: int = 0) -> None:
        self._per_key = per_key
        self._reserve = reserve
        self._free = overall
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[Future[None]]] = OrderedDict()

    @property
    def is_idle(self) -> bool:
        """Whether nobody holds a place or waits for one: then nothing is kept."""
        return not self._held and not self._waiting

    async def acquire(self, key: str) -> None:
        """Wait for a place, which `release` returns."""
        if key not in self._waiting and self._may_take(key):
            self._hold(key)
            return
        turn: Future[None] = get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            await turn
        except CancelledError:
            if turn.cancelled():
                self._leave(key, turn)
            else:  # It was given in the moment in which its taker gave up.
                self.release(key)
            raise

    def release(self, key: str) -> None:
        """Return a place; whoever waits longest for their turn gets it."""
        self._free += 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
        while (next_key := next(filter(self._may_take, self._waiting), None)) is not None:
            turn = self._waiting[next_key].popleft()
            self._waiting.move_to_end(next_key)
            self._forget_if_empty(next_key)
            if not turn.cancelled():  # Else its taker has given up, and will hear of it in a moment.
                self._hold(next_key)
                turn.set_result(None)

    def _may_take(self, key: str) -> bool:
        return self._held[key] < self._per_key and self._free > (self._reserve if self._held[key] else 0)

    def _hold(self, key: str) -> None:
        self._free -= 1
        self._held[key] += 1

    def _leave(self, key: str, turn: Future[None]) -> None:
        if turn in self._waiting.get(key, ()):
            self._waiting[key].remove(turn)
            self._forget_if_empty(key)

    def _forget_if_empty(self, key: str) -> None:
        if not self._waiting[key]:
            del self._waiting[key]
