"""Renewing pairs that nothing else has renewed for 25 days, spread out; never hourly or daily."""

from app.kit.clock import Clock
from app.portals import queries
from app.portals.refresh import Refresher
from app.portals.vault import Vault

MAX_AT_ONCE = 20


async def renew_due_pairs(vault: Vault, refresher: Refresher, clock: Clock) -> int:
    """Renew the pairs that are due, one after the other; gives back how many were asked for."""
    due = await queries.list_due_for_renewal(clock.now(), MAX_AT_ONCE)
    for portal in due:
        pair = await vault.read_pair(portal.id)
        if pair is not None:
            await refresher.renew(portal.id, pair)
    return len(due)
