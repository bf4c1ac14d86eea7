"""The open live streams of this process: at most two a user, and all of them ended at once by a shutdown.

A browser opens six connections to a host over HTTP/1.1. Eight visible tabs that each held one for good would
leave none for anything else, so a third stream ends the first, whose tab asks every 15 seconds instead.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from app.kit.metrics import STREAMS

MAX_PER_USER = 2
PAUSE_S = 1.0
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

    def __init__(self, pause_s: float = PAUSE_S, recheck_s: float = RECHECK_S) -> None:
        self.pause_s = pause_s
        self.recheck_s = recheck_s
        self._open: dict[tuple[int, int], list[Stream]] = {}
        self._is_closing = False

    @contextmanager
    def join(self, portal_id: int, user_id: int) -> Iterator[Stream]:
        """Open a stream for a user; the oldest beyond two is told to end."""
        stream = Stream()
        mine = self._open.setdefault((portal_id, user_id), [])
        mine.append(stream)
        for oldest in mine[:-MAX_PER_USER]:
            oldest.end("superseded")
        if self._is_closing:
            stream.end("shutdown")
        STREAMS.inc()
        try:
            yield stream
        finally:
            STREAMS.dec()
            mine.remove(stream)
            if not mine:
                self._open.pop((portal_id, user_id), None)

    @property
    def count(self) -> int:
        """How many are open."""
        return sum(map(len, self._open.values()))

    def end_all(self) -> None:
        """End every stream now, and each that is opened from now on: the server is going down."""
        self._is_closing = True
        for stream in [stream for streams in self._open.values() for stream in streams]:
            stream.end("shutdown")


@contextmanager
def end_on_signals(streams: Streams) -> Iterator[None]:
    """While inside, SIGTERM and SIGINT end the streams first, then do what they did before.

    A server waits for open answers before it tells the application to stop; streams never end by themselves.
    Handlers that were not set from Python (the default ones) are left alone.
    """
    loop = asyncio.get_running_loop()
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(streams.end_all)
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
