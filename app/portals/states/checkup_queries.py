"""Queries on the time of the last check of a portal's bindings and licence."""

from piccolo.columns.combination import And

from app.portals import queries
from app.portals.model import Portal
from app.portals.tables import PortalTable

Portals = PortalTable
SOON_S = 3600


async def list_due(before: int, now: int, least_life_s: int, limit: int) -> list[Portal]:
    """The portals, of all tenants, that were last checked at `before` or earlier and whose stored access
    token lives for more than `least_life_s`. The portal with the oldest check comes first.
    """
    is_due = And(Portals.checked_at <= before, Portals.access_expires_at > now + least_life_s)
    is_fine = And(queries.is_contactable(now), Portals.contact_state == "ok")
    rows = await Portals.select().where(And(is_fine, is_due)).order_by(Portals.checked_at).limit(limit)
    return [queries.to_portal(row) for row in rows]


async def take_check(portal: Portal, now: int, before: int) -> bool:
    """Take the turn to check the portal; False if another process has taken it since `before`."""
    is_same = And(Portals.state == "installed", Portals.generation == portal.generation)
    return await queries.update_where(
        portal.id, And(is_same, Portals.checked_at <= before), {Portals.checked_at: now}
    )


async def want_soon(portal_id: int, generation: int, now: int) -> None:
    """Make the portal due for a check, at most once an hour, because of a hint at lost bindings: a call that
    no event told of.
    """
    is_same = And(Portals.state == "installed", Portals.generation == generation)
    is_old = Portals.checked_at <= now - SOON_S
    await queries.update_where(portal_id, And(is_same, is_old), {Portals.checked_at: 0})
