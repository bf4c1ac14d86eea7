"""Turns of portals: each has a place of its own, so that none decides how long the others wait.

A turn begins as soon as its kind has a quick place. A turn that takes long moves to a lasting place, so that
another turn can begin in its quick place. The next turn of that portal begins in a slow place, as do all
turns of portals whose last turn took long, until one of the portal's turns is short again. When long turns
hold all quick and lasting places and another portal waits, the longest of these turns is cut off.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import msgspec
import structlog

from app.kit.fairness.background import Background
from app.kit.fairness.lanes import Lane, use_lane
from app.kit.limited_memory import LimitedMemory

log = structlog.get_logger(__name__)
PLACES = 8  # Honest portals need far fewer, because each holds a place for about a second.
# The turn of a portal that answers ends within this time, and the next portals wait no longer than this.
QUICK_S = 5.0
# How many lasting places, and how many slow places, there are for each quick place: hostile portals come in
# numbers. An honest portal needs a slow place too, after a turn that wrote very many rows.
LASTING = 2
# The limit for every portal. Any turn can be cut off; the portal's next turn continues the work.
LONGEST_S = 600.0
STOP_S = 10.0  # A portal that answers is done by then; a hostile one may hold its answer back for minutes.
MOST_REMEMBERED = 10_000  # Portals whose last turn lasted; beyond that the least recent are forgotten.
Work = Callable[[], Awaitable[object]]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of work: its name in the log, and how many turns may begin at once.

    A turn that takes `usual_s` or longer counts as long (default QUICK_S). During its first `spared_s` a turn
    is not cut off in favour of turns that wait (default `usual_s`). After `longest_s` every turn is cut off
    (default LONGEST_S).
    """

    name: str
    places: int = PLACES
    usual_s: float | None = None
    spared_s: float | None = None
    longest_s: float | None = None


class _Lanes:
    """The places of one kind: quick ones, in which turns begin, lasting ones, in which they go on, and slow
    ones for portals whose last turn took long.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.quick = asyncio.Semaphore(kind.places)
        self.lasting = asyncio.Semaphore(kind.places * LASTING)
        self.slow = asyncio.Semaphore(kind.places * LASTING)
        self.took_long = LimitedMemory[int, None](MOST_REMEMBERED)
        # The turns in quick and lasting places, the one that began first in front.
        self._began_at: dict[asyncio.Timeout, float] = {}
        self._waiting = self._ending = 0  # Turns that wait for a quick place, and turns cut off for them.

    @property
    def _usual_s(self) -> float:
        return QUICK_S if self._kind.usual_s is None else self._kind.usual_s

    @property
    def _spared_s(self) -> float:
        return self._usual_s if self._kind.spared_s is None else self._kind.spared_s

    @asynccontextmanager
    async def take_place(self, portal_id: int) -> AsyncIterator[asyncio.Timeout]:
        """Wait for a place and hold it until the context ends; meanwhile a quick place may be exchanged for a
        lasting one. Gives the time limit of the turn.
        """
        is_slow = portal_id in self.took_long
        await (self.slow.acquire() if is_slow else self._wait_to_begin())
        loop = asyncio.get_running_loop()
        longest_s = LONGEST_S if self._kind.longest_s is None else self._kind.longest_s
        began_at, limit = loop.time(), asyncio.timeout(longest_s)
        try:
            if is_slow:
                with _released(self.slow):
                    yield limit
            else:
                async with self._moving(limit):
                    yield limit
        finally:
            is_long = limit.expired() or loop.time() - began_at >= self._usual_s
            self._remember(portal_id, is_long=is_long)

    def find_lasting(self, portal_id: int) -> float:
        """The moment, by the loop's clock, from which the queries of a turn that begins now count as lasting.
        It is 0, which means at once, when the portal's last turn took long.
        """
        return 0.0 if portal_id in self.took_long else asyncio.get_running_loop().time() + QUICK_S

    async def _wait_to_begin(self) -> None:
        self._waiting += 1
        try:
            self._make_room()
            await self.quick.acquire()
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _moving(self, limit: asyncio.Timeout) -> AsyncIterator[None]:
        """Hold a quick place, and exchange it for a lasting one after QUICK_S; `_make_room` may cut the turn
        off when other turns need its place.
        """
        held, loop = self.quick, asyncio.get_running_loop()

        async def move_on() -> None:
            nonlocal held
            await asyncio.sleep(QUICK_S)
            await self.lasting.acquire()
            held.release()
            held = self.lasting

        moving = asyncio.create_task(move_on())
        self._began_at[limit] = loop.time()
        over = loop.call_later(self._spared_s, self._make_room)
        try:
            yield
        finally:
            over.cancel()
            moving.cancel()
            if self._began_at.pop(limit, None) is None:
                self._ending -= 1
            held.release()

    def _make_room(self) -> None:
        """While turns wait and all quick and lasting places are held, cut off the turn that began first, if
        it began at least `spared_s` ago. Turns in slow places are left alone.
        """
        loop = asyncio.get_running_loop()
        while self._waiting > self._ending and self.quick.locked() and self.lasting.locked():
            limit, began_at = next(iter(self._began_at.items()), (None, 0.0))
            if limit is None or loop.time() - began_at < self._spared_s:
                return
            del self._began_at[limit]
            self._ending += 1
            if not limit.expired():
                limit.reschedule(loop.time())

    def _remember(self, portal_id: int, *, is_long: bool) -> None:
        self.took_long.pop(portal_id, None)
        if is_long:
            self.took_long[portal_id] = None


@contextmanager
def _released(place: asyncio.Semaphore) -> Iterator[None]:
    try:
        yield
    finally:
        place.release()


class PortalTurns:
    """Runs turns in the background: at most one of a kind for each portal, and a few of each kind at once."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._lanes: dict[Kind, _Lanes] = {}
        self._turns: dict[tuple[Kind, int], asyncio.Task[None]] = {}
        self._next: dict[tuple[Kind, int], Work] = {}
        self.is_stopping = False

    async def stop(self) -> None:
        """Let no further turn begin, and cut off the turns that still run after STOP_S, because this process
        ends.
        """
        self.is_stopping = True
        if under_way := set(self._turns.values()):
            _, late = await asyncio.wait(under_way, timeout=STOP_S)
            for turn in late:
                turn.cancel()

    def begin(self, kind: Kind, portal_id: int, work: Work, *, is_news: bool = False) -> asyncio.Task[None]:
        """Give the portal a turn as soon as there is a place; returns its task, which ends with the turn.

        While the portal has a turn of this kind, or waits for one, that turn's task is returned and `work` is
        dropped. With `is_news`, `work` is kept instead and done after that turn, unless the next call with
        `is_news` replaces it.
        """
        key = (kind, portal_id)
        task = self._turns.get(key)
        if task is None or task.done():
            task = self._turns[key] = self._background.spawn(kind.name, self._run(kind, portal_id, work))
            task.add_done_callback(partial(self._forget, key))
        elif is_news:
            self._next[key] = work
        return task

    def begin_all(
        self, kind: Kind, portal_ids: Iterable[int], work: Callable[[int], Awaitable[object]]
    ) -> None:
        """Give each of these portals a turn, in their order."""
        for portal_id in portal_ids:
            self.begin(kind, portal_id, partial(work, portal_id))

    def _forget(self, key: tuple[Kind, int], ended: asyncio.Task[None]) -> None:
        if self._turns.get(key) is ended:
            del self._turns[key]

    async def _run(self, kind: Kind, portal_id: int, work: Work | None) -> None:
        lanes = self._lanes.setdefault(kind, _Lanes(kind))
        while work is not None:
            async with lanes.take_place(portal_id) as limit:
                if self.is_stopping:
                    return
                with take_turn(kind.name, portal_id, lanes.find_lasting(portal_id)):
                    await _limited(limit, kind, portal_id, work)
            work = self._next.pop((kind, portal_id), None)


async def _limited(limit: asyncio.Timeout, kind: Kind, portal_id: int, work: Work) -> None:
    """Do the work within the limit. A turn that was cut off is a warning in the log and raises nothing,
    because the portal caused it.
    """
    try:
        async with limit:
            await work()
    except TimeoutError:
        if not limit.expired():
            raise
        log.warning("a portal's turn was cut off", job=kind.name, portal_id=portal_id)


@contextmanager
def take_turn(job: str, portal_id: int, lasts_from: float = math.inf) -> Iterator[None]:
    """While inside, one portal has its turn, and its queries run in a background lane. An unexpected error is
    logged and not raised, so that other portals' turns go on. `lasts_from`: as in `Lane`.
    """
    try:
        with use_lane(Lane(portal_id, is_background=True, lasts_from=lasts_from)):
            yield
    except Exception:
        log.exception("a portal's turn failed", job=job, portal_id=portal_id)
