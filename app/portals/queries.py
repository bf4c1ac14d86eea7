"""Queries on portals.

Every write is one statement that names the state on which it was decided (generation, token version or
lease). So a decision on an outdated state changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from piccolo.columns import Column
from piccolo.columns.combination import And, Where

from app.kit.fairness.lanes import use_no_lane
from app.portals.lifecycle import RENEW_LATEST_S
from app.portals.model import Portal
from app.portals.tables import PortalTable

BURIED = "erased-"  # No member_id looks like this: they are 32 hexadecimal characters.
Row = Mapping[str, Any]
Changes = Mapping[Any, Any]  # By column, or by a column's name.


async def find_portal(member_id: str) -> Portal | None:
    """The portal with this `member_id`, installed or not."""
    return await _read_one(PortalTable.member_id == member_id)


async def find_portals(member_ids: Collection[str]) -> dict[str, Portal]:
    """The portals with these `member_id`s, installed or not, by `member_id`."""
    rows = await PortalTable.select().where(PortalTable.member_id.is_in(list(member_ids)))
    return {row["member_id"]: to_portal(row) for row in rows}


async def get_portal(portal_id: int) -> Portal | None:
    """The portal with this id, which is ours and not the vendor's."""
    with use_no_lane():  # Each turn of a portal begins here and must not wait for other portals.
        return await _read_one(PortalTable.id == portal_id)


async def list_portals() -> list[Portal]:
    """All portals, ordered by id, for the vendor's command line."""
    return [to_portal(row) for row in await PortalTable.select().order_by(PortalTable.id)]


async def read_row(portal_id: int) -> Row | None:
    """The whole row with its sealed secrets, for the vault."""
    with use_no_lane():  # A refresh of one portal must not wait for those of others.
        row: Row | None = await PortalTable.select().where(PortalTable.id == portal_id).first()
    return row


async def lock_row(member_id: str, *, is_sqlite: bool) -> Row | None:
    """The whole row; it stays locked until the end of the transaction that the caller opened."""
    query = PortalTable.select().where(PortalTable.member_id == member_id).first()
    row: Row | None = await (query if is_sqlite else query.lock_rows("UPDATE"))
    return row


async def make_row(member_id: str) -> Row:
    """The whole row of a portal that is being installed, made if it is missing, locked as by `lock_row`.

    It is one statement: between finding and locking, no other process can bury the row.
    """
    blank = PortalTable(
        member_id=member_id,
        state="uninstalled",
        generation=0,
        domain="",
        client_endpoint="",
        oauth_server="",
        license_status="",
        language="",
        application_token_dated_at=0,
        token_version=0,
        pair_dated_at=0,
        access_expires_at=0,
        pair_stored_at=0,
        pair_bought_at=0,
        renew_at=0,
        token_state="uninstalled",
        refresh_lease_until=0,
        setup="[]",
        installed_at=0,
        lookup_claimed_at=0,
        people_read_at=0,
        contact_state="ok",
        contact_failures=0,
        contact_retry_at=0,
        contact_since=0,
        is_license_over=False,
        app_code="",
        checked_at=0,
        dead_since=0,
        seen_at=0,
        silence_warned_at=0,
    )
    rows: Sequence[Row] = await (
        PortalTable.insert(blank)
        .on_conflict(target=PortalTable.member_id, action="DO UPDATE", values=[PortalTable.member_id])
        .returning(*PortalTable.all_columns())
    )
    return rows[0]


async def update_unchanged(portal_id: int, generation: int, token_version: int, changes: Changes) -> bool:
    """Change the portal if it is installed and still has this generation and pair; return whether it did."""
    return await update_where(portal_id, _is_unchanged(generation, token_version), changes)


async def update_locked(portal_id: int, changes: Changes) -> None:
    """Change the row that `lock_row` locked in this transaction."""
    await PortalTable.update(dict(changes)).where(PortalTable.id == portal_id)


async def update_generation(portal_id: int, generation: int, changes: Changes) -> bool:
    """Change the portal if it is installed and still has this generation; return whether it did."""
    is_same = (PortalTable.state == "installed") & (PortalTable.generation == generation)
    return await update_where(portal_id, is_same, changes)


async def take_refresh_lease(
    portal_id: int, generation: int, token_version: int, lease_id: str, now: int, until: int
) -> bool:
    """Take the lease of a refresh of this pair until `until`; False if another process has the lease, or the
    portal has another pair by now.
    """
    is_free = (PortalTable.token_state == "ok") & (PortalTable.refresh_lease_until <= now)
    return await update_where(
        portal_id,
        And(_is_unchanged(generation, token_version), is_free),
        {PortalTable.refresh_lease_id: lease_id, PortalTable.refresh_lease_until: until},
    )


async def release_refresh(portal_id: int, lease_id: str, *, is_doubtful: bool) -> None:
    """End the lease. After a refresh whose answer was lost (`is_doubtful`) the lease's id stays, as a mark
    that the stored pair may be spent.
    """
    changes = {PortalTable.refresh_lease_until: 0} | (
        {} if is_doubtful else {PortalTable.refresh_lease_id: None}
    )
    await update_where(portal_id, PortalTable.refresh_lease_id == lease_id, changes)


async def bury(portal_id: int) -> bool:
    """Remove `member_id` and address from an uninstalled portal, and make its calls due for erasure; False if
    it is installed.
    """
    buried = {
        PortalTable.member_id: f"{BURIED}{portal_id}",
        PortalTable.domain: "",
        PortalTable.client_endpoint: "",
        PortalTable.erase_at: 0,
    }
    return await update_where(portal_id, PortalTable.state == "uninstalled", buried)


async def delete_buried(portal_id: int) -> None:
    """Delete the row of a buried portal; nothing else of the portal is left by then."""
    await PortalTable.delete().where(
        And(PortalTable.id == portal_id, PortalTable.member_id == f"{BURIED}{portal_id}")
    )


async def want_lookup(portal_id: int, generation: int, now: int) -> None:
    """Note that calls of this portal are to be looked up in its statistics."""
    await update_generation(portal_id, generation, {PortalTable.lookup_wanted_at: now})


async def take_lookup(portal_id: int, now: int, pause_s: int) -> bool:
    """Take the one lookup that a portal has in `pause_s`, and delete the note of `want_lookup`; False if the
    last one is too recent.
    """
    return await update_where(
        portal_id,
        And(PortalTable.state == "installed", PortalTable.lookup_claimed_at <= now - pause_s),
        {PortalTable.lookup_claimed_at: now, PortalTable.lookup_wanted_at: None},
    )


async def update_where(portal_id: int, condition: Where | And, changes: Changes) -> bool:
    """Change the portal if the condition holds; return whether it did."""
    changed = await (
        PortalTable.update(dict(changes))
        .where(And(PortalTable.id == portal_id, condition))
        .returning(PortalTable.id)
    )
    return bool(changed)


def is_contactable(now: int) -> And:
    """The condition for portals that have a pair that may work and are not left alone now."""
    is_free = (PortalTable.contact_state == "ok") | (PortalTable.contact_retry_at <= now)
    is_usable = And(PortalTable.state == "installed", PortalTable.token_state == "ok")
    return And(is_usable, is_free)


def _is_unchanged(generation: int, token_version: int) -> And:
    is_same = And(PortalTable.generation == generation, PortalTable.token_version == token_version)
    return And(PortalTable.state == "installed", is_same)


async def list_due_for_renewal(now: int, limit: int) -> list[Portal]:
    """The portals, of all tenants, that are due for a renewal (about 25 days after the last), the earliest
    first; paused ones are left out.

    A date beyond `RENEW_LATEST_S` is due too: a clock that has been set back since has planned it.
    """
    is_due = (PortalTable.renew_at <= now) | (PortalTable.renew_at > now + RENEW_LATEST_S)
    return await _list_where(And(is_contactable(now), is_due), PortalTable.renew_at, limit)


async def list_due_for_erasure(now: int, limit: int) -> list[Portal]:
    """The uninstalled portals, of all tenants, that are due for erasure."""
    return await _list_where(
        (PortalTable.state == "uninstalled") & (PortalTable.erase_at <= now), PortalTable.erase_at, limit
    )


async def list_waiting_for_lookup(now: int, limit: int) -> list[Portal]:
    """The portals, of all tenants, that wait for a lookup and may be contacted, the longest waiting first."""
    return await _list_where(
        And(is_contactable(now), PortalTable.lookup_wanted_at.is_not_null()),
        PortalTable.lookup_wanted_at,
        limit,
    )


async def list_at(member_id: str, domain: str, limit: int) -> list[Portal]:
    """The other installed portals that are stored at this domain and have a pair that may work."""
    is_another = And(PortalTable.domain == domain, PortalTable.member_id != member_id)
    is_living = And(PortalTable.state == "installed", PortalTable.token_state == "ok")
    return await _list_where(And(is_another, is_living), PortalTable.id, limit)


async def _list_where(condition: Where | And, order: Column, limit: int) -> list[Portal]:
    rows = await PortalTable.select().where(condition).order_by(order).limit(limit)
    return [to_portal(row) for row in rows]


async def _read_one(condition: Where | And) -> Portal | None:
    row = await PortalTable.select().where(condition).first()
    return to_portal(row) if row else None


def to_portal(row: Row) -> Portal:
    """The portal of this row, without its secrets."""
    return Portal(
        id=row["id"],
        member_id=row["member_id"],
        is_installed=row["state"] == "installed",
        generation=row["generation"],
        domain=row["domain"],
        client_endpoint=row["client_endpoint"],
        oauth_server=row["oauth_server"],
        license_status=row["license_status"],
        language=row["language"],
        application_token_hash=row["application_token_hash"],
        token_version=row["token_version"],
        token_user_id=row["token_user_id"],
        access_expires_at=row["access_expires_at"],
        pair_stored_at=row["pair_stored_at"],
        pair_bought_at=row["pair_bought_at"],
        token_state=row["token_state"],
        has_dangling_refresh=row["refresh_lease_id"] is not None,
        refresh_lease_until=row["refresh_lease_until"],
        setup=row["setup"],
        installed_at=row["installed_at"],
        uninstalled_at=row["uninstalled_at"],
        erase_at=row["erase_at"],
        last_event_at=row["last_event_at"],
        is_lookup_wanted=row["lookup_wanted_at"] is not None,
        people_read_at=row["people_read_at"],
        synced_at=row["synced_at"],
        contact_state=row["contact_state"],
        contact_failures=row["contact_failures"],
        contact_retry_at=row["contact_retry_at"],
        contact_since=row["contact_since"],
        license_ends_at=row["license_ends_at"],
        is_license_over=bool(row["is_license_over"]),
        app_code=row["app_code"],
        checked_at=row["checked_at"],
        dead_since=row["dead_since"],
        seen_at=row["seen_at"],
        silence_warned_at=row["silence_warned_at"],
    )
