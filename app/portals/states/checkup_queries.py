"""Reading and writing when a portal's bindings and licence were last looked at."""

from piccolo.columns.combination import And

from app.portals import queries
from app.portals.model import Portal
from app.portals.tables import PortalTable

Portals = PortalTable
SOON_S = 3600


async def list_due(before: int, now: int, least_life_s: int, limit: int) -> list[Portal]:
    """Portals of all tenants not looked at since `before` whose stored token lives on, longest first."""
    is_due = And(Portals.checked_at <= before, Portals.access_expires_at > now + least_life_s)
    is_fine = And(queries.is_contactable(now), Portals.contact_state == "ok")
    rows = await Portals.select().where(And(is_fine, is_due)).order_by(Portals.checked_at).limit(limit)
    return [queries.to_portal(row) for row in rows]


async def claim(portal: Portal, now: int, before: int) -> bool:
    """Take the turn to look, unless somebody did since `before`."""
    is_same = And(Portals.state == "installed", Portals.generation == portal.generation)
    return await queries.update_where(
        portal.id, And(is_same, Portals.checked_at <= before), {Portals.checked_at: now}
    )


async def want_soon(portal_id: int, generation: int, now: int) -> None:
    """Something hints at lost bindings, as a call of which no event told: look at the next occasion, but not
    twice in an hour.
    """
    is_same = And(Portals.state == "installed", Portals.generation == generation)
    is_old = Portals.checked_at <= now - SOON_S
    await queries.update_where(portal_id, And(is_same, is_old), {Portals.checked_at: 0})
