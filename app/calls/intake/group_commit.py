"""Ingest by group commit: requests that arrive while a batch is being written share the next batch.

A batch needs no timer: it begins as soon as the one before is durable. One statement and one commit store all
events of new calls; events of known calls follow in small transactions. The event of a cancelled request is
stored all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from app.bitrix24.incoming.call_end import CallRecord
from app.calls.intake.arrivals import Arrival, Outcome, arrival_of, meet_arrivals
from app.calls.intake.checkpoints import Checkpoints
from app.calls.intake.fast_insert import make_inserter
from app.calls.intake.intake_queries import write_probe
from app.calls.intake.last_events import LastEvents
from app.calls.space.room import Room
from app.calls.space.sizes import Size, size_of_event
from app.calls.store.known_calls import Key
from app.kit.clock import Clock
from app.kit.messages.errors import Unavailable
from app.kit.metrics import BATCH_ROWS, QUOTA_REFUSALS
from app.kit.storage.database import Database, is_away, is_refusal
from app.portals.news import Changes
from app.portals.settings.quotas import QuotaReached

DURABLE = frozenset({Outcome.STORED, Outcome.DUPLICATE})
MAX_BATCH = 500
# Events of known calls in one transaction: each reads all legs of its call, and other writers of the database
# get their turn between two transactions.
MEET_AT_ONCE = 25
MAX_WAITING = 10_000
PROBED_FOR_S = 2
log = structlog.get_logger(__name__)


class UnstorableError(Exception):
    """The database refuses a value of this very event, and would refuse it again."""


class Waiting:
    """An event and the request that waits for it."""

    __slots__ = ("answer", "arrival")

    def __init__(self, arrival: Arrival, answer: asyncio.Future[bool]) -> None:
        self.arrival = arrival
        self.answer = answer

    def settle(self, outcome: Outcome) -> None:
        """Answer the request, unless it was cancelled."""
        if not self.answer.done() and outcome is Outcome.OVERFULL:
            QUOTA_REFUSALS.labels("legs").inc()
            self.answer.set_exception(QuotaReached())
        elif not self.answer.done():
            self.answer.set_result(outcome is not Outcome.REFUSED)

    def fail(self, error: Exception) -> None:
        """Tell the request that its event is not stored."""
        if not self.answer.done():
            self.answer.set_exception(error)


# Stores events. None: the call is known or the event refused, and `meet_arrivals` tells which.
Write = Callable[[Sequence[Arrival]], Awaitable[Sequence[Outcome | None]]]


class Ingest:
    """Stores call-end events; `start` and `stop` belong in the loop that uses it, with an open database."""

    def __init__(self, database: Database, clock: Clock, changes: Changes, room: Room | None = None) -> None:
        self._room = room or Room(database, clock)
        self._checkpoints = Checkpoints(database)
        self._clock = clock
        self._changes = changes
        self.inserter = make_inserter(database, changes)
        self._meet = partial(meet_arrivals, database, changes, self._room.note)
        self._meet_missed = partial(self._meet, is_missed=True)
        self._last_events = LastEvents(database, clock, self.inserter.execute)
        self._database = database
        self._queue: list[Waiting] = []
        self._probes: list[asyncio.Future[bool]] = []
        self._probed: tuple[int, bool] | None = None
        self._wake = asyncio.Event()
        self._is_open = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to store events."""
        self._is_open = True
        self._task = asyncio.create_task(self._run(), name="ingest")

    async def stop(self) -> None:
        """Take no more events, store and answer those that wait, and close the connections."""
        self._is_open = False
        self._wake.set()
        task, self._task = self._task, None
        try:
            if task is not None:
                await task
        finally:
            # First the room: it may hold rows of portals for a moment, and the flush leaves such portals out.
            await self._room.stop()
            await self._last_events.flush()
            await self._checkpoints.stop()
            await self.inserter.close()

    async def store(
        self, portal_id: int, token_hash: str, record: CallRecord, fallback_started_at: int | None = None
    ) -> bool:
        """Store a call-end event that came with the portal's token, whose hash is `token_hash`.

        True once it is durable (new, a duplicate or a further leg); False when the portal is no longer
        installed with this hash. Raises Unavailable (503) when it cannot be stored now, QuotaReached when the
        portal has no room, UnstorableError when it can never be stored. An event without a start gets the
        fallback (Unix seconds), else the time of its arrival.
        """
        await self._room.admit(portal_id)
        if not self._is_open or len(self._queue) >= MAX_WAITING:
            raise Unavailable
        arrival = arrival_of(portal_id, token_hash, record, self._clock.now(), fallback_started_at)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(arrival, answer))
        self._wake.set()
        return await answer

    async def can_store(self) -> bool:
        """Whether an event could be stored now. To find out, it writes a probe as it would write an event,
        between two batches.

        The answer stays for two seconds, so that many questions cause few writes.
        """
        now = self._clock.now()
        if self._is_open and (self._probed is None or now - self._probed[0] >= PROBED_FOR_S):
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._probes.append(answer)
            self._wake.set()
            self._probed = now, await answer
        return self._is_open and self._probed is not None and self._probed[1]

    async def checkpoint(self) -> None:
        """Move SQLite's log into its file beside the commits, so that no commit has to do it."""
        await self._checkpoints.run()

    async def _run(self) -> None:
        try:
            while self._is_open or self._queue:
                if not self._queue and not self._probes:
                    await self._wake.wait()
                self._wake.clear()
                if self._probes:
                    await self._probe()
                batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
                await self._store_batch(batch)
                await self._last_events.flush_if_due()
        except Exception as error:
            log.error("ingest ended", error=type(error).__name__)  # noqa: TRY400  A trace could quote events.
            raise
        finally:
            self._is_open = False  # After any end: no request may wait for an answer that never comes.
            for waiting in self._queue:
                waiting.fail(Unavailable())
            self._answer_probes(can_store=False)

    async def _probe(self) -> None:
        try:
            await write_probe(self._clock.now(), self.inserter.execute, self._database)
        except Exception as error:  # noqa: BLE001  The same error would keep an event from being stored.
            log.warning("events cannot be stored", error=type(error).__name__)
            self._answer_probes(can_store=False)
        else:
            self._answer_probes(can_store=True)

    def _answer_probes(self, *, can_store: bool) -> None:
        probes, self._probes = self._probes, []
        for probe in probes:
            if not probe.done():
                probe.set_result(can_store)

    async def _store_batch(self, batch: Sequence[Waiting]) -> None:
        if not batch:
            return
        BATCH_ROWS.observe(len(batch))
        firsts: dict[Key, Waiting] = {}
        again = [
            waiting for waiting in batch if firsts.setdefault(waiting.arrival.key, waiting) is not waiting
        ]
        missed = await self._attempt(list(firsts.values()), self._insert)
        for known, meet in ((missed, self._meet_missed), (again, self._meet)):
            for start in range(0, len(known), MEET_AT_ONCE):
                await self._attempt(known[start : start + MEET_AT_ONCE], meet)

    async def _insert(self, arrivals: Sequence[Arrival]) -> Sequence[Outcome | None]:
        missed = await self.inserter.insert(arrivals)
        grown: dict[int, Size] = {}
        for arrival in arrivals:
            if arrival.key not in missed:
                size = size_of_event(arrival.call_id, arrival.leg)
                known = grown.get(arrival.portal_id)
                grown[arrival.portal_id] = size if known is None else known + size
        for portal_id, size in grown.items():
            self._room.note(portal_id, size)
        return [None if arrival.key in missed else Outcome.STORED for arrival in arrivals]

    async def _attempt(self, waiting: Sequence[Waiting], write: Write) -> list[Waiting]:
        """Write these events and answer their requests. Returns the events for which `write` gave no outcome:
        their requests still wait.

        When the database refuses one event, the statement of all events fails; then each event is written by
        itself.
        """
        try:
            outcomes = await write([each.arrival for each in waiting])
        except Exception as error:  # noqa: BLE001  After any error, no request may wait for ever.
            return await self._recover(waiting, write, error)
        except BaseException:
            self._fail(waiting)
            raise
        self._settle(waiting, outcomes)
        self._checkpoints.note(len(waiting))
        return [each for each, outcome in zip(waiting, outcomes, strict=True) if outcome is None]

    async def _recover(self, waiting: Sequence[Waiting], write: Write, error: Exception) -> list[Waiting]:
        log.warning("events not stored", count=len(waiting), error=type(error).__name__)
        if len(waiting) == 1 and is_refusal(error):
            waiting[0].fail(UnstorableError())
            return []
        if len(waiting) == 1 or is_away(error):
            self._fail(waiting)
            return []
        return [left for each in waiting for left in await self._attempt([each], write)]

    def _settle(self, waiting: Sequence[Waiting], outcomes: Sequence[Outcome | None]) -> None:
        portal_ids = set()
        for each, outcome in zip(waiting, outcomes, strict=True):
            if outcome is not None:
                each.settle(outcome)
                if outcome in DURABLE:
                    portal_ids.add(each.arrival.portal_id)
        self._last_events.note(portal_ids)
        for portal_id in portal_ids:
            self._changes.announce(portal_id)  # For a duplicate too: a needless announcement costs one read.

    def _fail(self, waiting: Sequence[Waiting]) -> None:
        for each in waiting:
            each.fail(Unavailable())
