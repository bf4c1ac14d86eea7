"""The open live streams of this process: at most two for each user, with a limit for each portal and a limit
for all portals together. A shutdown ends all of them at once.

A browser opens at most six connections to a host over HTTP/1.1. Eight visible tabs with a stream each would
leave no connection for anything else. So a user's third stream ends the first, and the tab of the first asks
every 15 seconds instead; a tab that finds no place does so too. The limits are needed because each stream
looks at the database whenever a call of its portal arrives.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Literal

from app.kit.fairness.places import Bounds, Places
from app.kit.metrics import STREAMS

MAX_PER_USER = 2
# A user's older streams are ended (MAX_PER_USER), so users need no tighter bound here.
BOUNDS = Bounds(overall=256, per_portal=64, per_user=64)
PAUSE_S = 1.0
# One look takes some milliseconds of the loop, and a portal's calls may never cease.
LOOKS_PER_S = 64
LOOKS_PER_S_OF_PORTAL = 32
RECHECK_S = 15.0
Ending = Literal["superseded", "shutdown"]


class Stream:
    """One open stream; `ended` is set, and `ending` says why, once it must end."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.ending: Ending | None = None

    def end(self, ending: Ending) -> None:
        """Tell the stream to end; of several reasons the first stays."""
        self.ending = self.ending or ending
        self.ended.set()


class Streams:
    """The open streams by user. `pause_s` is the least time between two events of a stream, `recheck_s` the
    longest time without a check of the database.
    """

    def __init__(
        self, pause_s: float = PAUSE_S, recheck_s: float = RECHECK_S, bounds: Bounds = BOUNDS
    ) -> None:
        self.pause_s = pause_s
        self.recheck_s = recheck_s
        self.places = Places(bounds, gauge=STREAMS)
        self._open: dict[tuple[int, int], list[Stream]] = {}
        self._is_closing = False

    @contextmanager
    def join(self, portal_id: int, user_id: int) -> Iterator[Stream]:
        """Open a stream for a user while inside. A user's oldest stream beyond two is told to end, and so is
        the new one if there is no place for it.
        """
        stream = Stream()
        if self._is_closing:
            stream.end("shutdown")
        with ExitStack() as stack:
            if self.places.find_full(portal_id, user_id):
                stream.end("superseded")
            else:
                stack.enter_context(self.places.take(portal_id, user_id))
                stack.enter_context(self._keep(portal_id, user_id, stream))
            yield stream

    @contextmanager
    def _keep(self, portal_id: int, user_id: int, stream: Stream) -> Iterator[None]:
        mine = self._open.setdefault((portal_id, user_id), [])
        mine.append(stream)
        for oldest in mine[:-MAX_PER_USER]:
            oldest.end("superseded")
        try:
            yield
        finally:
            mine.remove(stream)
            if not mine:
                self._open.pop((portal_id, user_id), None)

    def pause_of(self, portal_id: int) -> float:
        """Seconds between two looks of one stream. They grow with the number of streams, so that all together
        look at most LOOKS_PER_S times a second, and one portal's at most half as often.
        """
        of_portal, overall = self.places.count_of(portal_id), self.places.count
        return max(self.pause_s, of_portal / LOOKS_PER_S_OF_PORTAL, overall / LOOKS_PER_S)

    @property
    def count(self) -> int:
        """How many streams are open."""
        return self.places.count

    def end_all(self) -> None:
        """The server stops: end every stream now, and each later one as it opens."""
        self._is_closing = True
        for stream in [stream for streams in self._open.values() for stream in streams]:
            stream.end("shutdown")


@contextmanager
def end_on_signals(end_waits: Callable[[], None]) -> Iterator[None]:
    """While inside, SIGTERM and SIGINT first call `end_waits`, then their former handlers.

    A server waits for open answers before it tells the application to stop, and streams never end by
    themselves. Handlers that were not set from Python (the default ones) stay as they are.
    """
    loop = asyncio.get_running_loop()
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(end_waits)
        handler = former[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    chained = [number for number, handler in former.items() if callable(handler)]
    for number in chained:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in chained:
            signal.signal(number, former[number])
