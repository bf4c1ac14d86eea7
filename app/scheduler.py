"""Which job runs when. One scheduler acts at a time, by a lease in the database; a second copy is harmless.

Jobs are one-line calls into features. Each asks for the lease itself, so a scheduler that lost it does
nothing. None waits for a portal: each portal that is due is given a turn of its own
(`app.kit.fairness.turns`). Their intervals are counted by a clock that cannot step (`app.job_ticks`).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog

from app.bitrix24.errors import BitrixFailure
from app.job_ticks import Plan, Ticks, keep_ticking
from app.kit.fairness.turns import Kind
from app.kit.messages.errors import Refusal
from app.portals import queries
from app.portals.absence import tombstone_queries, uninstall_queries
from app.portals.departure import silence
from app.portals.departure.erasure import ERASURE
from app.portals.model import Portal
from app.portals.outbound.access import PortalNotConnectedError, PortalUnreachableError
from app.portals.outbound.exchange_queries import purge_exchanges, trim_exchanges
from app.portals.outbound.rate_queries import purge_buckets
from app.portals.states import contact_queries
from app.portals.tokens.renewal import renew_due_pairs
from app.wiring import Parts

log = structlog.get_logger(__name__)
LEASE = "scheduler"
LEASE_S = 60
PURGED_EVERY_S = 3600
MOST_DUE = 500  # Portals at once; of more, those that have waited longest.
UNINSTALL_CHECK, PROBE, SILENCE = Kind("uninstall check"), Kind("probe"), Kind("silence")
PENDING = Kind("pending installation")  # By the row that waits: each network has its own of a portal.
Job = Callable[[Parts], Awaitable[None]]


async def keep_lease(_: Parts) -> None:
    """Show that the scheduler is alive; taking the lease is what does it."""


async def check_uninstalls(parts: Parts) -> None:
    """Ask again about uninstalls that were announced and not confirmed."""
    due = await uninstall_queries.list_due_checks(parts.clock.now(), MOST_DUE)
    parts.turns.begin_all(UNINSTALL_CHECK, due, parts.uninstaller.check)


async def verify_pending(parts: Parts) -> None:
    """Verify installations whose event found no room, or an authorization server that was away."""
    for row in await parts.installer.pending.list_due(MOST_DUE):
        parts.turns.begin(PENDING, row["id"], partial(parts.installer.pending.ask, row))


async def erase_due(parts: Parts) -> None:
    """Erase what is kept no longer, and go on with what was interrupted."""
    due = await queries.list_due_for_erasure(parts.clock.now(), MOST_DUE)
    parts.turns.begin_all(ERASURE, [portal.id for portal in due], parts.erasure.erase_if_due)


async def end_silent(parts: Parts) -> None:
    """Announce, and in the end erase, portals of which nothing has come for months."""
    quiet = await silence.list_quiet(parts.clock, MOST_DUE)
    end = partial(silence.end_if_silent, erasure=parts.erasure, clock=parts.clock)
    parts.turns.begin_all(SILENCE, [portal.id for portal in quiet], end)


async def sweep(parts: Parts) -> None:
    """Overwrite what was erased, where that is still to be done."""
    await parts.erasure.sweep()


async def renew_pairs(parts: Parts) -> None:
    """Renew pairs that lapse when nobody uses them."""
    await renew_due_pairs(parts.vault, parts.refresher, parts.clock, parts.turns)


async def check_up(parts: Parts) -> None:
    """Bind again what got lost, and look at the licence, once a day."""
    await parts.setup.check_due(parts.turns)


async def probe_paused(parts: Parts) -> None:
    """Ask portals that refuse whether they answer again, when their pause is over."""
    for portal in await contact_queries.list_due_for_probe(parts.clock.now(), MOST_DUE):
        parts.turns.begin(PROBE, portal.id, partial(_probe, parts, portal))


async def _probe(parts: Parts, portal: Portal) -> None:
    try:
        await parts.access.probe(portal)
    except (BitrixFailure, PortalNotConnectedError, PortalUnreachableError) as failure:
        log.info("portal still refuses", portal_id=portal.id, code=failure.code)


async def look_up(parts: Parts) -> None:
    """Serve hints that had to wait for their minute."""
    await parts.lookups.look_where_wanted()


async def read_histories(parts: Parts) -> None:
    """Read on where a portal's history is not complete, a minute each."""
    await parts.histories.read_due(parts.turns)


async def reconcile(parts: Parts) -> None:
    """Begin to read what is new where evidence or the schedule asks for it."""
    await parts.reconciliation.run_due()


async def purge(parts: Parts) -> None:
    """Delete the oldest of the request log, the accounts of portals that were sent nothing for long, and what
    was remembered of an uninstall for a day.
    """
    await purge_exchanges(parts.clock.now())
    await tombstone_queries.purge(parts.clock.now())
    await trim_exchanges(parts.room.quotas.requests)
    await purge_buckets(parts.database)


async def retain(parts: Parts) -> None:
    """Remove the calls that their portal wants kept no longer."""
    await parts.retention.purge_all(parts.turns)


async def recount(parts: Parts) -> None:
    """Count what portals store where that was last done long ago."""
    await parts.recount.run_due()


async def checkpoint(parts: Parts) -> None:
    """Move SQLite's log into its file while nothing waits for it."""
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
        """Start the job of this name, but not while its last turn still runs: turns that wait for the same
        thing would only pile up.
        """
        last = self._last.get(name)
        if last is None or last.done():
            work = run_job(self._parts, self._holder, self._jobs[name])
            self._last[name] = self._parts.background.spawn(name, work)


@asynccontextmanager
async def run_scheduler(parts: Parts) -> AsyncIterator[None]:
    """Run the jobs until the context ends; what runs then is finished before the parts close."""
    holder = uuid.uuid4().hex
    begin = Starter(parts, holder).begin
    intervals_s = {job.__name__: interval_s for job, interval_s in JOBS}
    plan = Plan(renew_pairs.__name__, intervals_s.pop(renew_pairs.__name__), begin, parts.clock)
    begin(keep_lease.__name__)
    try:
        async with keep_ticking(Ticks(intervals_s, begin, plan.begin_anew, parts.clock), plan):
            yield
    finally:
        await parts.leases.give_back(LEASE, holder)


async def run_job(parts: Parts, holder: str, job: Job) -> None:
    """Run one job if this scheduler holds the lease; one that fails is logged and runs again at its next
    turn.
    """
    if not await parts.leases.take(LEASE, holder, LEASE_S):
        return
    try:
        await job(parts)
    except Refusal as refusal:
        log.warning("job refused", job=job.__name__, code=refusal.code)
