"""Queries on the purchases of pairs, and on the portals that can vouch for our client secret."""

from collections.abc import Collection

from piccolo.columns.combination import And, Or

from app.portals import queries
from app.portals.model import Portal
from app.portals.tables import PortalTable

Portals = PortalTable


async def note_purchase(
    portal_id: int, generation: int, token_version: int, was_at: int, bought_at: int
) -> bool:
    """Note `bought_at` as the time of the last purchase; False if the portal has another generation or pair
    by now, or its last purchase is not at `was_at`.
    """
    is_same = And(Portals.generation == generation, Portals.token_version == token_version)
    is_unchanged = And(And(Portals.state == "installed", is_same), Portals.pair_bought_at == was_at)
    return await queries.update_where(portal_id, is_unchanged, {Portals.pair_bought_at: bought_at})


async def list_witnesses(
    portal_id: int, heard: Collection[int], now: int, rest_s: int, limit: int
) -> list[Portal]:
    """Reachable portals except this one and those in `heard`, the most recently renewed first.

    Portals that bought a pair within `rest_s` seconds before or after now are left out, so that witnesses
    take turns. A purchase further ahead does not count: a clock that has been set back has noted it.
    """
    is_rested = Or(Portals.pair_bought_at <= now - rest_s, Portals.pair_bought_at >= now + rest_s)
    rows = await (
        Portals.select()
        .where(And(_is_another([portal_id, *heard]), is_rested))
        .order_by(Portals.access_expires_at, ascending=False)
        .limit(limit)
    )
    return [queries.to_portal(row) for row in rows]


async def is_another_resting(portal_id: int, now: int, rest_s: int) -> bool:
    """Whether another reachable portal bought a pair so recently that it is no witness now."""
    is_resting = And(Portals.pair_bought_at > now - rest_s, Portals.pair_bought_at < now + rest_s)
    return bool(await Portals.exists().where(And(_is_another([portal_id]), is_resting)))


async def is_another_busy(portal_id: int, now: int) -> bool:
    """Whether the pair of another reachable portal is being renewed now."""
    return bool(
        await Portals.exists().where(And(_is_another([portal_id]), Portals.refresh_lease_until > now))
    )


def _is_another(than: Collection[int]) -> And:
    is_connected = And(Portals.state == "installed", Portals.token_state == "ok")
    return And(And(is_connected, Portals.contact_state == "ok"), Portals.id.not_in(list(than)))
