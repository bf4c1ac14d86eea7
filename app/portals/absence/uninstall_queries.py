"""Queries on noted uninstalls; no other module touches their table."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from piccolo.columns import Column
from piccolo.columns.combination import And

from app.portals.tables import PortalTable, UninstallCheckTable

Check = UninstallCheckTable
CHECK_LEASE_S = 120  # Longer than a check can take: two questions, another process's lease, three witnesses.
PAUSE_S = 60  # Announcements cause at most one question in this time.
# The unannounced notes of portals that still have the same installation and their dead pair. (The page of an
# administrator brings another pair.)
STILL_GONE = """FROM uninstall_checks c JOIN portals p ON p.id = c.portal_id AND p.generation = c.generation
    WHERE c.is_unannounced AND p.state = 'installed' AND p.token_state = 'reinstall_needed'"""


@dataclass(frozen=True, slots=True)
class TakenCheck:
    """A check that this process may do now."""

    generation: int
    attempts: int  # so far
    is_unannounced: bool
    is_accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """The note of a portal's uninstall; times are Unix seconds."""

    generation: int
    is_clean: bool
    is_unannounced: bool
    is_answered: bool
    claimed_until: int
    next_at: int

    def is_resting(self, now: int) -> bool:
        """Whether no process may check the uninstall now: a check is under way, or the last check ended less
        than a minute ago and the next one is not due.
        """
        return self.claimed_until > now or self.claimed_until + PAUSE_S > now < self.next_at

    def has_answer(self, now: int) -> bool:
        """Whether the last check ended with an answer, and the next one is not due yet."""
        return self.is_answered and self.claimed_until <= now < self.next_at


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A portal that seems to be gone, as the vendor sees it; times are Unix seconds."""

    member_id: str
    domain: str
    noted_at: int
    attempts: int
    next_at: int
    is_accepted: bool


async def note_uninstall(portal_id: int, generation: int, now: int, *, is_clean: bool) -> None:
    """Note that an uninstall was announced, in place of a note of an older installation.

    If one of several announcements keeps the calls, they are kept: CLEAN=1 after CLEAN=0 erases no calls,
    because anyone in the portal can send an announcement. An announcement that comes a minute or more after
    the last question makes the check due at once.
    """
    await _drop_older(portal_id, generation)
    note = _make_note(portal_id, generation, now, is_clean=is_clean)
    announced: dict[Column | str, Any] = {
        Check.is_unannounced: False,
        Check.is_clean: is_clean,
        Check.attempts: 0,
        Check.next_at: now,
    }
    is_first = And(Check.portal_id == portal_id, Check.is_unannounced.eq(True))
    await Check.update(announced).where(is_first)
    await Check.insert(note).on_conflict(target=Check.portal_id, action="DO NOTHING")
    if not is_clean:
        await Check.update({Check.is_clean: False}).where(Check.portal_id == portal_id)
    is_waiting = And(Check.claimed_until <= now - PAUSE_S, Check.next_at > now)
    await Check.update({Check.attempts: 0, Check.next_at: now}).where(
        And(Check.portal_id == portal_id, is_waiting)
    )


async def note_unannounced(portal_id: int, generation: int, now: int, next_at: int) -> None:
    """Note that a refresh was answered as if the application were gone, unless there is a note already."""
    await _drop_older(portal_id, generation)
    note = _make_note(portal_id, generation, now, is_clean=False)
    note.is_unannounced = True
    note.next_at = next_at
    await Check.insert(note).on_conflict(target=Check.portal_id, action="DO NOTHING")


def _make_note(portal_id: int, generation: int, now: int, *, is_clean: bool) -> Check:
    return Check(
        portal_id=portal_id,
        generation=generation,
        is_clean=is_clean,
        is_answered=False,
        attempts=0,
        next_at=now,
        claimed_until=0,
        is_unannounced=False,
        is_accepted=False,
        noted_at=now,
    )


async def _drop_older(portal_id: int, generation: int) -> None:
    await Check.delete().where(And(Check.portal_id == portal_id, Check.generation < generation))


async def take_check(portal_id: int, now: int) -> TakenCheck | None:
    """Take the lease of the check; None if it is not due or another process has it."""
    rows = await (
        Check.update({Check.claimed_until: now + CHECK_LEASE_S})
        .where(And(Check.portal_id == portal_id, And(Check.claimed_until <= now, Check.next_at <= now)))
        .returning(Check.generation, Check.attempts, Check.is_unannounced, Check.is_accepted)
    )
    if not rows:
        return None
    row = rows[0]
    return TakenCheck(
        row["generation"], row["attempts"], bool(row["is_unannounced"]), bool(row["is_accepted"])
    )


async def postpone_check(
    portal_id: int,
    generation: int,
    attempts: int,
    now: int,
    next_at: int,
    *,
    is_answered: bool,
    is_unannounced: bool = False,
) -> None:
    """End the lease and set the next check to `next_at`; `is_answered`: the server did answer this time.

    A note of another generation or kind stays as it is: it was written in the meantime.
    """
    is_same = And(Check.generation == generation, Check.is_unannounced.eq(is_unannounced))
    await Check.update(
        {
            Check.attempts: attempts,
            Check.next_at: next_at,
            Check.claimed_until: now,
            Check.is_answered: is_answered,
        }
    ).where(And(Check.portal_id == portal_id, is_same))


async def find_installed(portal_ids: Collection[int]) -> set[int]:
    """The portals among these that are installed."""
    is_one = And(PortalTable.id.is_in(list(portal_ids)), PortalTable.state == "installed")
    return {row["id"] for row in await PortalTable.select(PortalTable.id).where(is_one)}


async def find_noted(portal_ids: Collection[int]) -> dict[int, Noted]:
    """The notes of these portals, by portal."""
    rows = await Check.select().where(Check.portal_id.is_in(list(portal_ids)))
    return {row["portal_id"]: _to_noted(row) for row in rows}


def _to_noted(row: Mapping[str, Any]) -> Noted:
    return Noted(
        generation=row["generation"],
        is_clean=bool(row["is_clean"]),
        is_unannounced=bool(row["is_unannounced"]),
        is_answered=bool(row["is_answered"]),
        claimed_until=row["claimed_until"],
        next_at=row["next_at"],
    )


async def note_unfinished(portal_id: int, generation: int, now: int) -> bool:
    """Note, in the transaction that ends this installation, that its people are still to be erased; return
    whether every announcement wanted the calls erased too.
    """
    is_same = And(Check.portal_id == portal_id, Check.generation == generation)
    announced = await Check.select(Check.is_clean).where(is_same).first()
    note = _make_note(portal_id, generation, now, is_clean=False)
    # Until the lease ends, no other process resumes this erasure; most portals need less time. Two erasures
    # at once would do no harm.
    note.claimed_until = now + CHECK_LEASE_S
    changed = [Check.generation, Check.next_at, Check.claimed_until, Check.is_unannounced]
    await Check.insert(note).on_conflict(target=Check.portal_id, action="DO UPDATE", values=changed)
    return bool(announced and announced["is_clean"])


async def drop_check(portal_id: int, generation: int) -> None:
    """Delete the note of this generation."""
    await Check.delete().where(And(Check.portal_id == portal_id, Check.generation == generation))


async def drop_unannounced(portal_id: int) -> None:
    """Delete the note that the portal seemed to be gone, because it has another pair."""
    await Check.delete().where(And(Check.portal_id == portal_id, Check.is_unannounced.eq(True)))


async def list_gone() -> list[Gone]:
    """The portals, of all tenants, that seem to be gone, for the vendor's list; the earliest note comes
    first.
    """
    rows = await Check.raw(
        "SELECT p.member_id, p.domain, c.noted_at, c.attempts, c.next_at, c.is_accepted"
        f" {STILL_GONE} ORDER BY c.noted_at, p.id"
    )
    return [Gone(**(row | {"is_accepted": bool(row["is_accepted"])})) for row in rows]


async def is_gone(portal_id: int) -> bool:
    """Whether this portal is in `list_gone`."""
    return bool(await Check.raw(f"SELECT c.portal_id {STILL_GONE} AND c.portal_id = {{}}", portal_id))


async def list_times_gone() -> list[int]:
    """The time of the first note of each portal in `list_gone`, without the portals that the vendor has
    confirmed to be gone.
    """
    rows = await Check.raw(f"SELECT c.noted_at {STILL_GONE} AND NOT c.is_accepted")
    return [row["noted_at"] for row in rows]


async def count_installed() -> int:
    """The number of installed portals, of all tenants."""
    return int(await PortalTable.count().where(PortalTable.state == "installed"))


async def accept_gone(now: int, last_attempt: int) -> None:
    """Note that the vendor confirms all portals that seem to be gone. The portals that were held back after
    their last question are due now.
    """
    await Check.update({Check.is_accepted: True}).where(Check.is_unannounced.eq(True))
    is_held = And(Check.is_accepted.eq(True), Check.attempts >= last_attempt)
    await Check.update({Check.next_at: now}).where(And(Check.is_unannounced.eq(True), is_held))


async def keep_gone() -> None:
    """Delete the notes of the portals that seem to be gone; their pairs count as alive until the next
    refresh.
    """
    await Check.raw(
        "UPDATE portals SET token_state = 'ok' WHERE state = 'installed'"
        " AND token_state = 'reinstall_needed' AND EXISTS (SELECT 1 FROM uninstall_checks c"
        " WHERE c.portal_id = portals.id AND c.generation = portals.generation AND c.is_unannounced)"
    )
    await Check.delete().where(Check.is_unannounced.eq(True))


async def list_due_checks(now: int, limit: int) -> list[int]:
    """The ids of the portals, of all tenants, whose noted uninstall is to be checked now."""
    rows = await (
        Check.select(Check.portal_id)
        .where(And(Check.next_at <= now, Check.claimed_until <= now))
        .order_by(Check.next_at)
        .limit(limit)
    )
    return [row["portal_id"] for row in rows]
