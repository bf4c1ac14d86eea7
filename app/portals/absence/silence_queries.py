"""Queries on how long portals have been silent."""

from piccolo.columns.combination import And, Or

from app.portals import queries
from app.portals.model import Portal
from app.portals.tables import PortalTable

Portals = PortalTable


async def mark_dead(portal_id: int, generation: int, token_version: int, now: int) -> bool:
    """Mark this pair dead from now on; a pair that is marked already keeps its date. False if the portal has
    another pair by now.
    """
    is_same = And(Portals.generation == generation, Portals.token_version == token_version)
    is_unchanged = And(Portals.state == "installed", is_same)
    dead = {Portals.token_state: "reinstall_needed", Portals.dead_since: now}
    if await queries.update_where(portal_id, And(is_unchanged, Portals.token_state == "ok"), dead):
        return True
    return bool(await Portals.exists().where(And(Portals.id == portal_id, is_unchanged)))


async def note_seen(portal_id: int, now: int, not_since: int) -> None:
    """Note a sign of life of an installed portal, unless the last one was noted after `not_since`. A note
    with a time after `now` was made by a clock that was ahead, and is replaced.
    """
    is_due = Or(Portals.seen_at <= not_since, Portals.seen_at > now)
    await queries.update_where(portal_id, And(Portals.state == "installed", is_due), {Portals.seen_at: now})


async def date_dead_pairs(now: int) -> None:
    """Note `now` as the date of each dead pair, of all tenants, that has none, because an older release noted
    no dates.
    """
    is_dead = And(Portals.state == "installed", Portals.token_state == "reinstall_needed")
    await Portals.update({Portals.dead_since: now}).where(And(is_dead, Portals.dead_since == 0))


async def list_silent(since: int, warned_before: int, limit: int) -> list[Portal]:
    """The portals, of all tenants, that have a dead pair and have sent nothing after `since`, the longest
    dead first; portals of which the vendor was told after `warned_before` are left out.
    """
    is_dead = And(Portals.state == "installed", Portals.token_state == "reinstall_needed")
    is_event_old = Or(Portals.last_event_at.is_null(), Portals.last_event_at <= since)
    is_old = And(And(Portals.dead_since <= since, Portals.seen_at <= since), is_event_old)
    is_wanted = And(is_old, Portals.silence_warned_at <= warned_before)
    rows = await Portals.select().where(And(is_dead, is_wanted)).order_by(Portals.dead_since).limit(limit)
    return [queries.to_portal(row) for row in rows]


async def note_warned(portal: Portal, now: int) -> None:
    """Note `now` as the time at which the vendor was warned of this portal."""
    await queries.update_unchanged(
        portal.id, portal.generation, portal.token_version, {Portals.silence_warned_at: now}
    )
