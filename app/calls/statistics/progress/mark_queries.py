"""Reading and writing how far each portal's statistics have been read.

Every write names the generation, and the mark that it was decided on: two readers at once do no harm.
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
    """The portal's mark in this generation."""
    row = await Marks.select().where(is_of(portal_id, generation)).first()
    return _mark(row) if row else None


async def ensure_mark(database: Database, portal_id: int, generation: int, now: int) -> bool:
    """Make the mark of this generation and of the token's owner, in the place of an older one; False when
    the installation is another.
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


async def claim_mark(
    portal_id: int, generation: int, now: int, until: int, *, is_forced: bool
) -> Mark | None:
    """Take the right to read the history, if there is any left, it is due and nobody else has it.

    `is_forced`: also while a failure would still be waited out.
    """
    is_due: Any = Marks.next_at <= now
    if is_forced:
        is_due |= Marks.failures > 0
    is_free = And(Marks.claimed_until <= now, Marks.history_state != "complete")
    return await update_mark(
        portal_id, And(is_of(portal_id, generation), And(is_free, is_due)), {"claimed_until": until}
    )


async def begin_mark(portal_id: int, seen: Mark, changes: Changes) -> Mark | None:
    """Note what the first read found; None when another has noted it before, or has the claim."""
    is_first = And(Marks.token_user_id == seen.token_user_id, Marks.top_id.is_null())
    return await update_mark(portal_id, And(_is_held(seen.generation, seen.claimed_until), is_first), changes)


async def move_mark(portal_id: int, seen: Mark, changes: Changes) -> Mark | None:
    """Note what a batch brought; None when the mark is not where it was `seen`, or claimed by another."""
    is_unmoved = And(_is_held(seen.generation, seen.claimed_until), Marks.low_id == seen.low_id)
    return await update_mark(portal_id, And(is_unmoved, Marks.token_user_id == seen.token_user_id), changes)


async def change_claimed(
    portal_id: int, generation: int, claimed_until: int, changes: Changes
) -> Mark | None:
    """Note something in the name of whoever claimed the mark until that moment; None when it is another's."""
    return await update_mark(portal_id, _is_held(generation, claimed_until), changes)


async def note_failure(portal_id: int, seen: Mark, changes: Changes) -> Mark | None:
    """Note that an attempt failed which had come to `seen`; None when somebody else has come further, or
    has the claim.
    """
    is_begun_alike = Marks.top_id.is_null() if seen.top_id is None else Marks.top_id == seen.top_id
    is_unmoved = And(And(Marks.low_id == seen.low_id, is_begun_alike), Marks.history_state != "complete")
    return await update_mark(
        portal_id, And(_is_held(seen.generation, seen.claimed_until), is_unmoved), changes
    )


async def raise_mark(portal_id: int, generation: int, owner_id: int, high_id: int) -> Mark | None:
    """Note up to which id the statistics are read without a gap. A lower one changes nothing: only
    `lower_mark` lets it fall, once the portal shows that its statistics end lower.
    """
    is_lower = And(is_of(portal_id, generation, owner_id), Marks.high_id < high_id)
    return await update_mark(portal_id, is_lower, {"high_id": high_id}) or await find_mark(
        portal_id, generation
    )


async def date_mark(
    portal_id: int, generation: int, owner_id: int, read_up_to: int, looked_at: int
) -> Mark | None:
    """Note a read to the end of the statistics that began at `read_up_to` by the portal's clock, and at
    `looked_at` by ours.

    A read that began before the last one lowers nothing; a later one does, when the portal's clock was set
    back: nobody may rely on a moment that is still to come.
    """
    is_later = WhereRaw(
        "(COALESCE(read_up_to, 0) < {} OR COALESCE(looked_at, 0) <= {})", read_up_to, looked_at
    )
    condition = And(is_of(portal_id, generation, owner_id), is_later)
    return await update_mark(portal_id, condition, {"read_up_to": read_up_to}) or await find_mark(
        portal_id, generation
    )


async def reopen_history(portal_id: int, generation: int, now: int) -> None:
    """Let the whole history be read again: it may show what was hidden, or hold what was left out.

    Whoever reads at the moment loses the claim. What is known of calls that the statistics lack stays. It is
    the day's read of 30 days too, and the mark says when it was, so that what causes it again and again does
    so once a day.
    """
    await Marks.raw(_REOPEN, now, now, now, portal_id, generation)


async def lower_mark(portal_id: int, seen: Mark, high_id: int) -> None:
    """Note that the statistics end at a lower id than they did: a portal was restored or moved."""
    changes: Changes = {"high_id": high_id, **first_stand(seen.hour_at, high_id), "pass_low_id": None}
    await change_mark(portal_id, seen, changes)


async def change_mark(portal_id: int, seen: Mark, changes: Changes) -> None:
    """Note something of what the owner of this installation's token is shown, whoever has the claim."""
    await update_mark(portal_id, is_of(portal_id, seen.generation, seen.token_user_id), changes)


async def suspect(portal_id: int, generation: int, low_id: int) -> None:
    """Note that from this id on ids may be other calls' by now; nothing is promised until that is clear."""
    await Marks.raw(_SUSPECT, low_id, low_id, portal_id, generation)


async def list_due_histories(now: int, limit: int) -> list[int]:
    """Portal ids of all tenants whose history is to be read on now, longest waiting first."""
    return [row["id"] for row in await Marks.raw(_DUE, now, now, now, limit)]


async def update_mark(portal_id: int, condition: And | Where, changes: Changes) -> Mark | None:
    """Change the portal's mark if the condition holds; None if it does not.

    The commit is light: what a mark tells of was stored before it, so a mark that is lost is read again.
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
    """The mark of this installation while this claim lasts, or nobody else has taken it over."""
    return And(Marks.generation == generation, Marks.claimed_until == claimed_until)


def is_of(portal_id: int, generation: int, owner_id: int | None = None) -> And | Where:
    """The mark of this installation, and of this owner of the token."""
    is_this = And(Marks.portal_id == portal_id, Marks.generation == generation)
    return is_this if owner_id is None else And(is_this, Marks.token_user_id == owner_id)
