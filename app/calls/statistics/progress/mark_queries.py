"""Reading and writing how far each portal's statistics have been read.

Every write names the generation and the mark on which it was decided, so two reads at once do no harm.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from piccolo.columns.combination import And, Where, WhereRaw

from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.progress.pace import FIRST_PAGES
from app.calls.statistics.progress.plan import PAGE_ROWS
from app.calls.statistics.progress.window import first_stand
from app.calls.tables import StatisticsMarkTable
from app.kit.storage.database import Database
from app.kit.storage.light_commits import commit_lightly
from app.portals import queries
from app.portals.hold_queries import hold_installation

Marks = StatisticsMarkTable
Changes = Mapping[str, Any]

_DUE = """
    SELECT p.id FROM portals p
    LEFT JOIN statistics_marks m ON m.portal_id = p.id AND m.generation = p.generation
    WHERE p.state = 'installed' AND p.token_state = 'ok'
        AND (p.contact_state = 'ok' OR p.contact_retry_at <= {}) AND (m.portal_id IS NULL
        OR m.token_user_id <> COALESCE(p.token_user_id, 0)
        OR (m.history_state <> 'complete' AND m.next_at <= {} AND m.claimed_until <= {}))
    ORDER BY COALESCE(m.next_at, 0), p.id LIMIT {}
"""
_REOPEN = """
    UPDATE statistics_marks SET history_state = 'pending', top_id = NULL, low_id = 0, bottom_id = 0,
        high_id = 0, rows_done = 0, rows_total = 0, failures = 0, failure_code = NULL, next_at = {},
        full_read_at = {}, reopened_at = {}, claimed_until = 0, pass_low_id = NULL, audited_at = NULL,
        audit_state = '', audit_tries = 0, audit_next_at = 0
    WHERE portal_id = {} AND generation = {}
"""

_SUSPECT = """
    UPDATE statistics_marks SET suspected_from = CASE WHEN suspected_from < {} THEN suspected_from ELSE {} END
    WHERE portal_id = {} AND generation = {}
"""


async def find_mark(portal_id: int, generation: int) -> Mark | None:
    """The portal's mark in this generation; None if there is none."""
    row = await Marks.select().where(is_of(portal_id, generation)).first()
    return _mark(row) if row else None


async def ensure_mark(database: Database, portal_id: int, generation: int, now: int) -> bool:
    """Make the mark of this generation and of the token's owner, in the place of an older one. False when the
    portal has another installation by now.

    The new mark promises nothing: another owner may be shown other rows ("complete up to", reason 1 in
    `marks.py`).
    """
    async with database.transaction():
        if not await hold_installation(portal_id, generation, database):
            return False
        portal = await queries.get_portal(portal_id)
        owner_id = (portal and portal.token_user_id) or 0
        is_older = (Marks.generation < generation) | (Marks.token_user_id != owner_id)
        await Marks.delete().where(And(Marks.portal_id == portal_id, is_older))
        blank = Marks(  # Everything else is 0, false or unknown.
            portal_id=portal_id,
            generation=generation,
            token_user_id=owner_id,
            history_state="pending",
            batch_pages=FIRST_PAGES,
            range_width=PAGE_ROWS,
            next_at=now,
            next_read_at=now,
        )
        await Marks.insert(blank).on_conflict(target=Marks.portal_id, action="DO NOTHING")
    return True


async def take_history_lease(
    portal_id: int, generation: int, now: int, until: int, *, is_forced: bool
) -> Mark | None:
    """Take the lease for reading the history. None when nothing is left to read, when it is not due yet, and
    while another process has the lease.

    `is_forced`: also while the wait after a failure lasts.
    """
    is_due: Any = Marks.next_at <= now
    if is_forced:
        is_due |= Marks.failures > 0
    is_free = And(Marks.claimed_until <= now, Marks.history_state != "complete")
    return await update_mark(
        portal_id, And(is_of(portal_id, generation), And(is_free, is_due)), {"claimed_until": until}
    )


async def begin_mark(portal_id: int, seen: Mark, changes: Changes) -> Mark | None:
    """Note the ends that the first read found; None when another read did so before or has the lease."""
    is_first = And(Marks.token_user_id == seen.token_user_id, Marks.top_id.is_null())
    return await update_mark(portal_id, And(_is_held(seen.generation, seen.claimed_until), is_first), changes)


async def move_mark(portal_id: int, seen: Mark, changes: Changes) -> Mark | None:
    """Note how far a batch has read; None when the mark has moved since `seen`, or another has the lease."""
    is_unmoved = And(_is_held(seen.generation, seen.claimed_until), Marks.low_id == seen.low_id)
    return await update_mark(portal_id, And(is_unmoved, Marks.token_user_id == seen.token_user_id), changes)


async def change_leased(portal_id: int, generation: int, claimed_until: int, changes: Changes) -> Mark | None:
    """Make these changes if the lease is still the one that ends at `claimed_until`; the mark afterwards, or
    None when the lease was lost.
    """
    return await update_mark(portal_id, _is_held(generation, claimed_until), changes)


async def note_failure(portal_id: int, seen: Mark, changes: Changes) -> Mark | None:
    """Note the failure of an attempt that had come to `seen`; None when another process has come further or
    has the lease.
    """
    is_begun_alike = Marks.top_id.is_null() if seen.top_id is None else Marks.top_id == seen.top_id
    is_unmoved = And(And(Marks.low_id == seen.low_id, is_begun_alike), Marks.history_state != "complete")
    return await update_mark(
        portal_id, And(_is_held(seen.generation, seen.claimed_until), is_unmoved), changes
    )


async def raise_mark(portal_id: int, generation: int, owner_id: int, high_id: int) -> Mark | None:
    """Note up to which id the statistics are read without a gap; the mark afterwards. A lower id changes
    nothing here: `lower_mark` lowers the mark once the portal shows that its statistics end there.
    """
    is_lower = And(is_of(portal_id, generation, owner_id), Marks.high_id < high_id)
    return await update_mark(portal_id, is_lower, {"high_id": high_id}) or await find_mark(
        portal_id, generation
    )


async def date_mark(
    portal_id: int, generation: int, owner_id: int, read_up_to: int, looked_at: int
) -> Mark | None:
    """Note a read to the end of the statistics that began at `read_up_to` by the portal's clock and at
    `looked_at` by ours; the mark afterwards.

    A read that began before the last one never moves the moment back. A later read moves it back if the
    portal's clock or ours was set back, because a moment in the future would promise calls that are to come
    ("complete up to", reason 4 in `marks.py`).
    """
    is_later = WhereRaw(
        "(COALESCE(read_up_to, 0) < {} OR COALESCE(looked_at, 0) <= {})", read_up_to, looked_at
    )
    condition = And(is_of(portal_id, generation, owner_id), is_later)
    return await update_mark(portal_id, condition, {"read_up_to": read_up_to}) or await find_mark(
        portal_id, generation
    )


async def reopen_history(portal_id: int, generation: int, now: int) -> None:
    """Have the whole history read again, because it may hold rows that were left out ("complete up to",
    reason 1 in `marks.py`).

    A process that reads at the moment loses its lease. The mark keeps its judgement of calls that the
    statistics lack (`is_limited`, `counts_all`). The new history counts as the day's read of 30 days too. The
    mark keeps the moment `now` in `reopened_at`.
    """
    await Marks.raw(_REOPEN, now, now, now, portal_id, generation)


async def lower_mark(portal_id: int, seen: Mark, high_id: int) -> None:
    """Note that the statistics end at a lower id than before, because the portal was restored or moved."""
    changes: Changes = {"high_id": high_id, **first_stand(seen.hour_at, high_id), "pass_low_id": None}
    await change_mark(portal_id, seen, changes)


async def change_mark(portal_id: int, seen: Mark, changes: Changes) -> None:
    """Make these changes while installation and token's owner are those of `seen`; it needs no lease."""
    await update_mark(portal_id, is_of(portal_id, seen.generation, seen.token_user_id), changes)


async def suspect(portal_id: int, generation: int, low_id: int) -> None:
    """Note that ids from this one up may belong to other calls now. The log promises nothing until the audit
    has settled that ("complete up to", reason 3 in `marks.py`).
    """
    await Marks.raw(_SUSPECT, low_id, low_id, portal_id, generation)


async def list_due_histories(now: int, limit: int) -> list[int]:
    """The ids of portals of all tenants whose history is to be read on now, longest waiting first."""
    return [row["id"] for row in await Marks.raw(_DUE, now, now, now, limit)]


async def update_mark(portal_id: int, condition: And | Where, changes: Changes) -> Mark | None:
    """Change the portal's mark if the condition holds; None if it does not.

    The commit is light: the rows were stored before their mark, so after a lost mark they are read again.
    """
    values: dict[Any, Any] = dict(changes)
    update = Marks.update(values).where(And(Marks.portal_id == portal_id, condition))
    with commit_lightly():
        rows = await update.returning(*Marks.all_columns())
    return _mark(rows[0]) if rows else None


def _mark(row: Mapping[str, Any]) -> Mark:
    flags = {name: bool(row[name]) for name in ("is_limited", "counts_all")}
    return msgspec.convert({**row, **flags}, Mark)


def _is_held(generation: int, claimed_until: int) -> And:
    """The condition for the mark of this installation, while its lease is still the one that ends at
    `claimed_until`.
    """
    return And(Marks.generation == generation, Marks.claimed_until == claimed_until)


def is_of(portal_id: int, generation: int, owner_id: int | None = None) -> And | Where:
    """The condition: the mark of this installation, and of this owner of its token (None: of any)."""
    is_this = And(Marks.portal_id == portal_id, Marks.generation == generation)
    return is_this if owner_id is None else And(is_this, Marks.token_user_id == owner_id)
