"""The open live streams of this process: at most two a user, so many a portal and in all, and all of them
ended at once by a shutdown.

A browser opens six connections to a host over HTTP/1.1. Eight visible tabs that each held one for good would
leave none for anything else, so a third stream ends the first, whose tab asks every 15 seconds instead. So
does a tab that finds no place: each stream looks at the database whenever a call of its portal arrives.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Literal

from app.kit.fairness.places import Places, Share
from app.kit.metrics import STREAMS

MAX_PER_USER = 2
# Of users only the newest streams count, so that they need no bound of their own here.
SHARE = Share(overall=256, per_portal=64, per_user=64)
PAUSE_S = 1.0
# A look takes some milliseconds of the loop, and a portal may have calls that never cease.
LOOKS_PER_S = 64
LOOKS_PER_S_OF_PORTAL = 32
RECHECK_S = 15.0
Ending = Literal["superseded", "shutdown"]


class Stream:
    """One open stream; `ended` is set with the reason when it must go."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.ending: Ending | None = None

    def end(self, ending: Ending) -> None:
        """Tell the stream to go; the first reason stays."""
        self.ending = self.ending or ending
        self.ended.set()


class Streams:
    """Who streams. `pause_s` is the least time between two events, `recheck_s` the longest with no check."""

    def __init__(self, pause_s: float = PAUSE_S, recheck_s: float = RECHECK_S, share: Share = SHARE) -> None:
        self.pause_s = pause_s
        self.recheck_s = recheck_s
        self.places = Places(share, gauge=STREAMS)
        self._open: dict[tuple[int, int], list[Stream]] = {}
        self._is_closing = False

    @contextmanager
    def join(self, portal_id: int, user_id: int) -> Iterator[Stream]:
        """Open a stream for a user; the oldest beyond two is told to end, so is a new one without a place."""
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
        """Seconds between two looks of one stream, longer where many look: so many looks a second in all, and
        half as many of one portal.
        """
        of_portal, overall = self.places.count_of(portal_id), self.places.count
        return max(self.pause_s, of_portal / LOOKS_PER_S_OF_PORTAL, overall / LOOKS_PER_S)

    @property
    def count(self) -> int:
        """How many are open."""
        return self.places.count

    def end_all(self) -> None:
        """End every stream now, and each that is opened from now on: the server is going down."""
        self._is_closing = True
        for stream in [stream for streams in self._open.values() for stream in streams]:
            stream.end("shutdown")


@contextmanager
def end_on_signals(end_waits: Callable[[], None]) -> Iterator[None]:
    """While inside, SIGTERM and SIGINT end what waits first, then do what they did before.

    A server waits for open answers before it tells the application to stop; streams never end by themselves.
    Handlers that were not set from Python (the default ones) are left alone.
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
