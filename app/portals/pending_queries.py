"""Reading and writing installations that wait to be verified; nothing else touches the ORM for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from piccolo.columns.combination import And

from app.kit.storage.database import patiently
from app.portals.tables import PendingInstallationTable

Pending = PendingInstallationTable
MOST_OF_ORIGIN = 64
MOST_IN_ALL = 1_000
KEPT_FOR_NEW_ORIGINS = 200  # So a few networks that are full leave room for the next one.
KEPT_FOR_S = 24 * 3600
# One of each origin after the other, so that nobody's many make another's one wait.
_DUE = """
    SELECT id, member_id, origin FROM (
        SELECT id, member_id, origin, ROW_NUMBER() OVER (PARTITION BY origin ORDER BY next_at, id) AS turn
        FROM pending_installations WHERE next_at <= {} AND claimed_until <= {}) AS due
    ORDER BY turn, id LIMIT {}
"""


def seal_context(member_id: str, origin: str) -> str:
    """The row that an offer is sealed for."""
    return f"pending_installations:{member_id}:{origin}"


async def keep(member_id: str, origin: str, sealed: str, now: int, *, is_sqlite: bool) -> bool:
    """Keep the newest of this portal from this origin; False when there is no room for one more.

    Within a transaction that the caller opened: others wait, so that the numbers hold.
    """
    if not is_sqlite:
        await Pending.raw("LOCK TABLE pending_installations IN SHARE ROW EXCLUSIVE MODE")
    if not await Pending.exists().where(_is(member_id, origin)) and not await _has_room(origin):
        return False
    changed = [Pending.sealed, Pending.received_at, Pending.next_at, Pending.attempts, Pending.claimed_until]
    await Pending.insert(
        Pending(
            member_id=member_id,
            origin=origin,
            sealed=sealed,
            received_at=now,
            next_at=now,
            attempts=0,
            claimed_until=0,
        )
    ).on_conflict(target=(Pending.member_id, Pending.origin), action="DO UPDATE", values=changed)
    return True


async def _has_room(origin: str) -> bool:
    of_origin = await Pending.count().where(Pending.origin == origin)
    most_in_all = MOST_IN_ALL - KEPT_FOR_NEW_ORIGINS if of_origin else MOST_IN_ALL
    in_all = await Pending.count()
    return bool(of_origin < MOST_OF_ORIGIN and in_all < most_in_all)


async def list_due(now: int, limit: int) -> Sequence[Mapping[str, Any]]:
    """Portals of all tenants (`id`, `member_id`, `origin`) whose installation is to be verified now."""
    rows: Sequence[Mapping[str, Any]] = await Pending.raw(_DUE, now, now, limit)
    return rows


async def list_sealed() -> Sequence[Mapping[str, Any]]:
    """`member_id`, `origin` and `sealed` of all tenants' installations that wait."""
    rows: Sequence[Mapping[str, Any]] = await Pending.select(
        Pending.member_id, Pending.origin, Pending.sealed
    )
    return rows


async def claim(member_id: str, origin: str, now: int, until: int) -> tuple[str, int] | None:
    """Take the right to verify it, if it is due and nobody else has it: (sealed, attempts so far)."""
    is_due = And(Pending.next_at <= now, Pending.claimed_until <= now)
    rows = await (
        Pending.update({Pending.claimed_until: until})
        .where(And(_is(member_id, origin), is_due))
        .returning(Pending.sealed, Pending.attempts)
    )
    return (rows[0]["sealed"], rows[0]["attempts"]) if rows else None


async def postpone(member_id: str, origin: str, sealed: str, attempts: int, next_at: int) -> None:
    """End the claim and verify it then, unless a newer one has come."""
    await Pending.update(
        {Pending.attempts: attempts, Pending.next_at: next_at, Pending.claimed_until: 0}
    ).where(And(_is(member_id, origin), Pending.sealed == sealed))


async def replace_sealed(member_id: str, origin: str, old: str, new: str) -> bool:
    """Store it sealed anew; False when a newer one has come, or it is gone."""
    is_same = And(_is(member_id, origin), Pending.sealed == old)
    return bool(await Pending.update({Pending.sealed: new}).where(is_same).returning(Pending.id))


async def settle(member_id: str, origin: str, sealed: str) -> bool:
    """Delete what was verified; False when nothing of this portal and origin waits any more.

    A newer one that has come meanwhile goes on waiting.
    """
    is_same = And(_is(member_id, origin), Pending.sealed == sealed)
    if await Pending.delete().where(is_same).returning(Pending.id):
        return True
    return bool(await Pending.exists().where(_is(member_id, origin)))


async def hurry(member_id: str, now: int) -> None:
    """Verify what waits of this portal now, and not when its pause is over."""
    await Pending.update({Pending.next_at: now}).where(Pending.member_id == member_id)


async def erase_pending(member_id: str) -> None:
    """Delete what waits of this portal."""
    await Pending.delete().where(Pending.member_id == member_id)


async def purge_pending(now: int) -> None:
    """Delete what has waited for a day, of all tenants."""
    async with patiently(Pending):
        await Pending.delete().where(Pending.received_at <= now - KEPT_FOR_S)


def _is(member_id: str, origin: str) -> And:
    return And(Pending.member_id == member_id, Pending.origin == origin)
