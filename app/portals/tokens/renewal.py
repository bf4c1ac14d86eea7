"""The renewal of pairs that nothing else has renewed for 25 days: spread out, and never hourly or daily."""

from functools import partial

import structlog

from app.kit.clock import Clock
from app.kit.crypto import CannotDecryptError
from app.kit.fairness.turns import Kind, PortalTurns
from app.portals import queries
from app.portals.model import Portal
from app.portals.tokens.refresh import Refresher
from app.portals.tokens.refresh_budget import Cause
from app.portals.vault import Vault

log = structlog.get_logger(__name__)
RENEWAL = Kind(name="renewal")
MOST_DUE = 500  # Portals in one pass; if more are due, those with the oldest pairs.
AGAIN_AFTER_S = 6 * 3600  # A pair that is due has three days left even by the shorter documented lifetime.


async def renew_due_pairs(vault: Vault, refresher: Refresher, clock: Clock, turns: PortalTurns) -> int:
    """Begin a renewal of each pair that is due; return how many there are."""

    async def renew(portal: Portal) -> None:
        if await _postpone(portal, clock.now() + AGAIN_AFTER_S):
            await _renew(portal, vault, refresher)

    due = await queries.list_due_for_renewal(clock.now(), MOST_DUE)
    for portal in due:
        turns.begin(RENEWAL, portal.id, partial(renew, portal))
    return len(due)


async def _postpone(portal: Portal, renew_at: int) -> bool:
    """Set the time of the next attempt before this one begins; False if the pair is another by now. So a
    renewal that fails waits, and the job goes on to the others.
    """
    return await queries.update_unchanged(
        portal.id, portal.generation, portal.token_version, {"renew_at": renew_at}
    )


async def _renew(portal: Portal, vault: Vault, refresher: Refresher) -> None:
    try:
        pair = await vault.read_pair(portal.id)
    except CannotDecryptError:
        log.error("pair does not open", portal_id=portal.id)  # noqa: TRY400  A traceback would add nothing.
        return
    if pair is not None:
        await refresher.renew(portal.id, pair, Cause.OWN_WORK)
