"""The jobs and their intervals. One scheduler acts at a time, by a lease in the database; a second one is
harmless.

Jobs are one-line calls into features. Each takes the lease itself, so a scheduler that lost it does nothing.
No job waits for a portal: each portal that is due gets a turn of its own (`app.kit.fairness.turns`).
`app.job_ticks` begins each job at its interval.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog

from app.job_ticks import Plan, Ticks, keep_ticking
from app.kit.fairness.turns import Kind
from app.kit.messages.errors import Refusal
from app.portals import queries
from app.portals.absence import tombstone_queries, uninstall_queries
from app.portals.departure import silence
from app.portals.departure.erasure import ERASURE
from app.portals.model import Portal
from app.portals.outbound.access import ACCESS_FAILURES
from app.portals.outbound.exchange_queries import purge_exchanges, trim_exchanges
from app.portals.outbound.rate_queries import purge_buckets
from app.portals.states import contact_queries
from app.portals.tokens.renewal import renew_due_pairs
from app.wiring import Parts

log = structlog.get_logger(__name__)
LEASE = "scheduler"
LEASE_S = 60
PURGED_EVERY_S = 3600
MOST_DUE = 500  # Portals that a job takes at once; those that have waited longest come first.
UNINSTALL_CHECK, PROBE, SILENCE = Kind(name="uninstall check"), Kind(name="probe"), Kind(name="silence")
# A turn of this kind is for one pending installation and not for one portal: events from several networks may
# each announce an installation of the same portal.
PENDING = Kind(name="pending installation")
Job = Callable[[Parts], Awaitable[None]]


async def keep_lease(_: Parts) -> None:
    """Do nothing: the scheduler shows that it is alive by taking the lease for this job."""


async def check_uninstalls(parts: Parts) -> None:
    """Ask again about uninstalls that were announced and are not confirmed."""
    due = await uninstall_queries.list_due_checks(parts.clock.now(), MOST_DUE)
    parts.turns.begin_all(UNINSTALL_CHECK, due, parts.uninstaller.check)


async def verify_pending(parts: Parts) -> None:
    """Verify installations whose event came while there was no room or no authorization server."""
    for row in await parts.installer.pending.list_due(MOST_DUE):
        parts.turns.begin(PENDING, row["id"], partial(parts.installer.pending.ask, row))


async def erase_due(parts: Parts) -> None:
    """Begin the erasure of portals whose time is over, and go on with interrupted ones."""
    due = await queries.list_due_for_erasure(parts.clock.now(), MOST_DUE)
    parts.turns.begin_all(ERASURE, [portal.id for portal in due], parts.erasure.erase_if_due)


async def end_silent(parts: Parts) -> None:
    """Announce the erasure of portals that have been silent for months, and in the end erase them."""
    quiet = await silence.list_quiet(parts.clock, MOST_DUE)
    end = partial(silence.end_if_silent, erasure=parts.erasure, clock=parts.clock)
    parts.turns.begin_all(SILENCE, [portal.id for portal in quiet], end)


async def sweep(parts: Parts) -> None:
    """Overwrite the bytes of erased rows in the database's files, if some are not overwritten yet."""
    await parts.erasure.sweep()


async def renew_pairs(parts: Parts) -> None:
    """Renew the pairs that nothing else has renewed for weeks, before they lapse."""
    await renew_due_pairs(parts.vault, parts.refresher, parts.clock, parts.turns)


async def check_up(parts: Parts) -> None:
    """Once a day, bind lost event handlers and placements again, and read the license."""
    await parts.setup.check_due(parts.turns)


async def probe_paused(parts: Parts) -> None:
    """Ask portals whose pause is over whether they answer again."""
    for portal in await contact_queries.list_due_for_probe(parts.clock.now(), MOST_DUE):
        parts.turns.begin(PROBE, portal.id, partial(_probe, parts, portal))


async def _probe(parts: Parts, portal: Portal) -> None:
    try:
        await parts.access.probe(portal)
    except ACCESS_FAILURES as failure:
        log.info("portal still refuses", portal_id=portal.id, code=failure.code)


async def look_up(parts: Parts) -> None:
    """Look into the statistics of portals whose hints had to wait, because a portal has one lookup a
    minute.
    """
    await parts.lookups.look_where_wanted()


async def read_histories(parts: Parts) -> None:
    """Read on in each portal's history that is not complete, for a minute each."""
    await parts.histories.read_due(parts.turns)


async def reconcile(parts: Parts) -> None:
    """Begin a forward read of each portal for which evidence or the schedule asks for one."""
    await parts.reconciliation.run_due()


async def purge(parts: Parts) -> None:
    """Delete the oldest exchanges, the rate accounts of portals that got no request for long, and the
    tombstones of uninstalls that are over a day old.
    """
    await purge_exchanges(parts.clock.now())
    await tombstone_queries.purge(parts.clock.now())
    await trim_exchanges(parts.room.quotas.requests)
    await purge_buckets(parts.database)


async def retain(parts: Parts) -> None:
    """Remove calls that are older than their portal's retention."""
    await parts.retention.purge_all(parts.turns)


async def recount(parts: Parts) -> None:
    """Count the stored rows of portals whose last count is long ago."""
    await parts.recount.run_due()


async def checkpoint(parts: Parts) -> None:
    """Move SQLite's log into its file while no event waits."""
    await parts.ingest.checkpoint()


JOBS: tuple[tuple[Job, int], ...] = (
    (read_histories, 10),
    (reconcile, 10),
    (keep_lease, 15),
    (check_uninstalls, 20),
    (verify_pending, 20),
    (look_up, 30),
    (probe_paused, 60),
    (check_up, 120),
    (checkpoint, 60),
    (sweep, 60),
    (erase_due, 300),
    (recount, 600),
    (renew_pairs, 900),
    (retain, 1800),
    (end_silent, 3600),
    (purge, PURGED_EVERY_S),
)


class Starter:
    """Starts jobs as background tasks, which a shutdown lets finish."""

    def __init__(self, parts: Parts, holder: str) -> None:
        self._parts = parts
        self._holder = holder
        self._jobs = {job.__name__: job for job, _ in JOBS}
        self._last: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str) -> None:
        """Start the job of this name, unless its last run still goes on: runs that wait for the same thing
        would only pile up.
        """
        last = self._last.get(name)
        if last is None or last.done():
            work = run_job(self._parts, self._holder, self._jobs[name])
            self._last[name] = self._parts.background.spawn(name, work)


@asynccontextmanager
async def run_scheduler(parts: Parts) -> AsyncIterator[None]:
    """Run the jobs until the context ends; jobs that run then are finished before the parts close."""
    holder = uuid.uuid4().hex
    begin = Starter(parts, holder).begin
    intervals_s = {job.__name__: interval_s for job, interval_s in JOBS}
    plan = Plan(renew_pairs.__name__, intervals_s.pop(renew_pairs.__name__), begin, parts.clock)
    begin(keep_lease.__name__)
    try:
        async with keep_ticking(Ticks(intervals_s, begin, plan.begin_now, parts.clock), plan):
            yield
    finally:
        await parts.leases.give_back(LEASE, holder)


async def run_job(parts: Parts, holder: str, job: Job) -> None:
    """Run one job if this scheduler holds the lease; a refusal is logged, and the job runs again at its next
    turn.
    """
    if not await parts.leases.take(LEASE, holder, LEASE_S):
        return
    try:
        await job(parts)
    except Refusal as refusal:
        log.warning("job refused", job=job.__name__, code=refusal.code)
