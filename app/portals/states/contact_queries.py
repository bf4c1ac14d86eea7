"""Queries on the contact state of portals.

The writer of a refusal names the state that it saw, so that twenty calls that are refused at once count as
one refusal. A process that tries again takes the turn first, so that only one process tries.
"""

from collections import Counter

from piccolo.columns.combination import And

from app.portals import queries
from app.portals.contact import FINE, pause_s
from app.portals.model import Connection, ContactState, Portal, connection_of
from app.portals.tables import PortalTable

Portals = PortalTable


async def note_refusal(portal: Portal, token_version: int, state: ContactState, now: int) -> bool:
    """Pause contact after a refusal of this pair; False if it is noted already, or the pair is another."""
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


async def take_probe(portal: Portal, now: int) -> bool:
    """Take the turn to ask a paused portal once; False if its pause lasts or another process has the turn."""
    is_over = And(Portals.contact_state != "ok", Portals.contact_retry_at <= now)
    return await queries.update_where(
        portal.id,
        And(is_over, _is_installed(portal)),
        {Portals.contact_retry_at: now + pause_s(portal.contact_failures)},
    )


async def end_pause(portal: Portal, now: int) -> None:
    """End the pause, so that the portal may be asked now, but keep its state until it answers."""
    is_paused = And(Portals.contact_state != "ok", _is_installed(portal))
    await queries.update_where(portal.id, is_paused, {Portals.contact_retry_at: now})


async def note_answer(portal: Portal, now: int) -> bool:
    """End the pause, because the portal has answered, and make it due for a lookup of the calls that it had
    during the pause; return whether it was paused.
    """
    return await queries.update_where(
        portal.id,
        And(Portals.contact_state != "ok", _is_installed(portal)),
        FINE | {"lookup_wanted_at": now},
    )


async def list_due_for_probe(now: int, limit: int) -> list[Portal]:
    """The portals, of all tenants, whose pause is over, the longest waiting first."""
    is_due = And(queries.is_contactable(now), Portals.contact_state != "ok")
    rows = await Portals.select().where(is_due).order_by(Portals.contact_retry_at).limit(limit)
    return [queries.to_portal(row) for row in rows]


async def count_connections() -> Counter[Connection]:
    """The number of installed portals, of all tenants, by connection."""
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
