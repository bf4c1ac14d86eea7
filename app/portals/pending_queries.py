"""Queries on installations that wait to be verified; no other module touches their table."""

from collections.abc import Mapping, Sequence
from typing import Any

from piccolo.columns.combination import And

from app.kit.storage.database import patiently
from app.portals.tables import PendingInstallationTable

Pending = PendingInstallationTable
MOST_OF_ORIGIN = 64
MOST_IN_ALL = 1_000
KEPT_FOR_NEW_ORIGINS = 200  # So that a few full networks leave room for a new one.
KEPT_FOR_S = 24 * 3600
# One row of each origin in turn, so that an origin with many rows does not delay the others.
_DUE = """
    SELECT id, member_id, origin FROM (
        SELECT id, member_id, origin, ROW_NUMBER() OVER (PARTITION BY origin ORDER BY next_at, id) AS turn
        FROM pending_installations WHERE next_at <= {} AND claimed_until <= {}) AS due
    ORDER BY turn, id LIMIT {}
"""


def seal_context(member_id: str, origin: str) -> str:
    """The name of the row that an offer is sealed for: the seal opens in no other row."""
    return f"pending_installations:{member_id}:{origin}"


async def keep(member_id: str, origin: str, sealed: str, now: int, *, is_sqlite: bool) -> bool:
    """Store the offer in place of an older one of this portal and origin; False if there is no room for it.

    The caller has opened a transaction. Other writers wait for its end, so that the bounds hold.
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
    """`id`, `member_id` and `origin` of the installations, of all tenants, that are to be verified now."""
    rows: Sequence[Mapping[str, Any]] = await Pending.raw(_DUE, now, now, limit)
    return rows


async def list_sealed() -> Sequence[Mapping[str, Any]]:
    """`member_id`, `origin` and `sealed` of all installations that wait, of all tenants."""
    rows: Sequence[Mapping[str, Any]] = await Pending.select(
        Pending.member_id, Pending.origin, Pending.sealed
    )
    return rows


async def take(member_id: str, origin: str, now: int, until: int) -> tuple[str, int] | None:
    """Take the lease of the offer; return (sealed, attempts so far), or None if it is not due or another
    process has the lease.
    """
    is_due = And(Pending.next_at <= now, Pending.claimed_until <= now)
    rows = await (
        Pending.update({Pending.claimed_until: until})
        .where(And(_is(member_id, origin), is_due))
        .returning(Pending.sealed, Pending.attempts)
    )
    return (rows[0]["sealed"], rows[0]["attempts"]) if rows else None


async def postpone(member_id: str, origin: str, sealed: str, attempts: int, next_at: int) -> None:
    """End the lease and set the next attempt to `next_at`, unless a newer offer has come."""
    await Pending.update(
        {Pending.attempts: attempts, Pending.next_at: next_at, Pending.claimed_until: 0}
    ).where(And(_is(member_id, origin), Pending.sealed == sealed))


async def replace_sealed(member_id: str, origin: str, old: str, new: str) -> bool:
    """Store the same offer as `new` in place of `old`; False if a newer one has come, or none is left."""
    is_same = And(_is(member_id, origin), Pending.sealed == old)
    return bool(await Pending.update({Pending.sealed: new}).where(is_same).returning(Pending.id))


async def settle(member_id: str, origin: str, sealed: str) -> bool:
    """Delete the verified offer; False if nothing of this portal and origin waited any more.

    A newer offer that has come in the meantime goes on waiting.
    """
    is_same = And(_is(member_id, origin), Pending.sealed == sealed)
    if await Pending.delete().where(is_same).returning(Pending.id):
        return True
    return bool(await Pending.exists().where(_is(member_id, origin)))


async def hurry(member_id: str, now: int) -> None:
    """Make all that waits of this portal due now, without its pause."""
    await Pending.update({Pending.next_at: now}).where(Pending.member_id == member_id)


async def erase_pending(member_id: str) -> None:
    """Delete all that waits of this portal."""
    await Pending.delete().where(Pending.member_id == member_id)


async def purge_pending(now: int) -> None:
    """Delete all that has waited for a day, of all tenants."""
    async with patiently(Pending):
        await Pending.delete().where(Pending.received_at <= now - KEPT_FOR_S)


def _is(member_id: str, origin: str) -> And:
    return And(Pending.member_id == member_id, Pending.origin == origin)
