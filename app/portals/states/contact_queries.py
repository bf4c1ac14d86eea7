"""Reading and writing whether a portal lets itself be contacted.

Whoever notes a refusal names the state that they saw, so that twenty calls that are refused at once count
as one; whoever tries again takes the turn first, so that one process does.
"""

from collections import Counter

from piccolo.columns.combination import And

from app.portals import queries
from app.portals.contact import FINE, pause_s
from app.portals.model import Connection, ContactState, Portal, connection_of
from app.portals.tables import PortalTable

Portals = PortalTable


async def note_refusal(portal: Portal, token_version: int, state: ContactState, now: int) -> bool:
    """Pause contact after a refusal of this pair; False when somebody noted it, or the pair is another."""
    changes = {
        Portals.contact_state: state,
        Portals.contact_failures: portal.contact_failures + 1,
        Portals.contact_retry_at: now + pause_s(portal.contact_failures),
        Portals.contact_since: portal.contact_since if portal.contact_state == state else now,
    }
    is_as_seen = And(Portals.contact_failures == portal.contact_failures, _is_installed(portal))
    return await queries.update_where(
        portal.id, And(is_as_seen, Portals.token_version == token_version), changes
    )


async def claim_probe(portal: Portal, now: int) -> bool:
    """Take the turn to ask a paused portal once; False while the pause lasts or somebody else has it."""
    is_over = And(Portals.contact_state != "ok", Portals.contact_retry_at <= now)
    return await queries.update_where(
        portal.id,
        And(is_over, _is_installed(portal)),
        {Portals.contact_retry_at: now + pause_s(portal.contact_failures)},
    )


async def end_pause(portal: Portal, now: int) -> None:
    """Let the portal be asked now, whatever it answered before."""
    is_paused = And(Portals.contact_state != "ok", _is_installed(portal))
    await queries.update_where(portal.id, is_paused, {Portals.contact_retry_at: now})


async def note_answer(portal: Portal, now: int) -> bool:
    """End the pause: the portal has answered. What came meanwhile is wanted from its statistics."""
    return await queries.update_where(
        portal.id,
        And(Portals.contact_state != "ok", _is_installed(portal)),
        FINE | {"lookup_wanted_at": now},
    )


async def list_due_for_probe(now: int, limit: int) -> list[Portal]:
    """Paused portals of all tenants that are to be asked again by now, longest waiting first."""
    is_due = And(queries.is_contactable(now), Portals.contact_state != "ok")
    rows = await Portals.select().where(is_due).order_by(Portals.contact_retry_at).limit(limit)
    return [queries.to_portal(row) for row in rows]


async def count_connections() -> Counter[Connection]:
    """How many installed portals of all tenants there are of each connection."""
    rows = await Portals.raw(
        "SELECT token_state, contact_state, COUNT(*) AS n FROM portals WHERE state = 'installed'"
        " GROUP BY token_state, contact_state"
    )
    counts: Counter[Connection] = Counter()
    for row in rows:
        counts[connection_of(row["token_state"], row["contact_state"])] += row["n"]
    return counts


def _is_installed(portal: Portal) -> And:
    return And(Portals.state == "installed", Portals.generation == portal.generation)
