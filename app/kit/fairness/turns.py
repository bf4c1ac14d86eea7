"""Turns of portals: each has a place of its own, so that none decides how long the others wait.

A turn begins as soon as its kind has a place. One that lasts is moved out of the way of those that begin, and
its portal waits among its like the next time, until a turn of it was short again. Where turns that last hold
all places, the one that has lasted longest is cut off as soon as somebody else waits.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import msgspec
import structlog

from app.kit.fairness.background import Background
from app.kit.fairness.lanes import Lane, use_lane

log = structlog.get_logger(__name__)
PLACES = 8  # Far more than portals that answer need, each of them for a second or so.
QUICK_S = 5.0  # A portal that answers is done by then, and nobody behind it waits for longer.
# So many times as many places for turns that last: strangers come in numbers. As many again for portals whose
# last turn lasted: it may have been ours, when an honest portal shows as many rows as a turn may write.
LASTING = 2
LONGEST_S = 600.0  # Whatever a portal does. All that a turn does can be cut off, and goes on with the next.
STOP_S = 10.0  # A portal that answers has done so; one that holds its answer back may for a minute and more.
MOST_REMEMBERED = 10_000  # Portals that took long; of more, those are forgotten whose turn is longest ago.
Work = Callable[[], Awaitable[object]]


class Kind(msgspec.Struct, frozen=True):
    """What turns are for, as the log names it, and how many may begin at once.

    `usual_s`: a turn that takes longer has lasted (QUICK_S unless said). `spared_s`: so long it is not cut
    off for others that wait (`usual_s` unless said). `longest_s`: it is cut off then (LONGEST_S unless said).
    """

    name: str
    places: int = PLACES
    usual_s: float | None = None
    spared_s: float | None = None
    longest_s: float | None = None


class _Lanes:
    """The places of one kind: to begin, to go on when it lasts, and for portals whose last turn lasted."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.quick = asyncio.Semaphore(kind.places)
        self.lasting = asyncio.Semaphore(kind.places * LASTING)
        self.slow = asyncio.Semaphore(kind.places * LASTING)
        self.took_long: OrderedDict[int, None] = OrderedDict()
        self._began_at: dict[asyncio.Timeout, float] = {}  # Of turns in quick and lasting places, in order.
        self._waiting = self._ending = 0  # For a quick place, and turns that make way for those.

    @property
    def _usual_s(self) -> float:
        return QUICK_S if self._kind.usual_s is None else self._kind.usual_s

    @property
    def _spared_s(self) -> float:
        return self._usual_s if self._kind.spared_s is None else self._kind.spared_s

    @asynccontextmanager
    async def take_place(self, portal_id: int) -> AsyncIterator[asyncio.Timeout]:
        """Wait for a place and hold it, be it another one by and by, until the context ends. Gives the limit
        within which the turn is to be taken.
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
        """From which moment of the loop's clock on a turn that begins now lasts: at once if the last did."""
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
        """Hold a quick place, which is left for a lasting one in time; make way when others need either."""
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
        """For whoever waits while all places are held, cut off the turns that have lasted longest and are
        spared no more. Those of portals in slow places wait and last among themselves.
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
            if len(self.took_long) > MOST_REMEMBERED:
                self.took_long.popitem(last=False)


@contextmanager
def _released(place: asyncio.Semaphore) -> Iterator[None]:
    try:
        yield
    finally:
        place.release()


class PortalTurns:
    """Runs turns in the background: of each portal one of a kind at a time, of each kind a few at once."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._lanes: dict[Kind, _Lanes] = {}
        self._turns: dict[tuple[Kind, int], asyncio.Task[None]] = {}
        self._next: dict[tuple[Kind, int], Work] = {}
        self.is_stopping = False

    async def stop(self) -> None:
        """Let what waits for a place end without its turn, and cut off what lasts: the process ends."""
        self.is_stopping = True
        if under_way := set(self._turns.values()):
            _, late = await asyncio.wait(under_way, timeout=STOP_S)
            for turn in late:
                turn.cancel()

    def begin(self, kind: Kind, portal_id: int, work: Work, *, is_news: bool = False) -> asyncio.Task[None]:
        """Give the portal a turn as soon as there is a place; await the task to wait for its end.

        While it has one, or waits for it, that is the turn: the work is dropped. `is_news`: it differs from
        the work under way, so it follows, unless newer work comes before that.
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
        """Give each of these portals a turn, those first that come first."""
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
    """Do it within the limit; that it was cut off is the portal's doing, and no error of ours."""
    try:
        async with limit:
            await work()
    except TimeoutError:
        if not limit.expired():
            raise
        log.warning("a portal's turn was cut off", job=kind.name, portal_id=portal_id)


@contextmanager
def take_turn(job: str, portal_id: int, lasts_from: float = math.inf) -> Iterator[None]:
    """While inside, one portal has its turn, of the database's connections too: what nobody expected is
    logged, and hinders no other. `lasts_from`: as in `Lane`.
    """
    try:
        with use_lane(Lane(portal_id, is_background=True, lasts_from=lasts_from)):
            yield
    except Exception:
        log.exception("a portal's turn failed", job=job, portal_id=portal_id)
