"""The statements for verified events and rows that could not be decoded, portal first."""

from typing import Any

from app.calls.tables import UndecodableEventTable

Row = dict[str, Any]


async def insert_event(
    portal_id: int, token_hash: str, event: str, payload: str, reason: str, now: int
) -> bool:
    """Insert an event of an installed portal with this token hash; False when the portal is not installed or
    has another token hash. The statement itself tests this.
    """
    rows = await UndecodableEventTable.raw(
        "INSERT INTO undecodable_events (portal_id, event, payload, reason, received_at)"  # noqa: S608  Ours.
        " SELECT p.id, CAST({} AS TEXT), CAST({} AS TEXT), CAST({} AS TEXT), CAST({} AS BIGINT)"
        " FROM portals p"
        " WHERE p.id = {} AND p.state = 'installed' AND p.application_token_hash = {}"
        f"{_held()} RETURNING id",
        *(event, payload, reason, now, portal_id, token_hash),
    )
    return bool(rows)


async def insert_row(
    portal_id: int, generation: int, event: str, payload: str, reason: str, now: int
) -> None:
    """Insert a row of this installation of the portal, unless the same row is kept already."""
    await UndecodableEventTable.raw(
        "INSERT INTO undecodable_events (portal_id, event, payload, reason, received_at)"  # noqa: S608  Ours.
        " SELECT p.id, CAST({} AS TEXT), CAST({} AS TEXT), CAST({} AS TEXT), CAST({} AS BIGINT)"
        " FROM portals p WHERE p.id = {} AND p.generation = {} AND p.state = 'installed' AND NOT EXISTS"
        " (SELECT 1 FROM undecodable_events u WHERE u.portal_id = p.id AND u.event = {} AND u.payload = {})"
        f"{_held()}",
        *(event, payload, reason, now, portal_id, generation, event, payload),
    )


async def delete_all_but(portal_id: int, event: str, kept: int) -> None:
    """Delete all events of this name but the latest `kept`."""
    await UndecodableEventTable.raw(
        "DELETE FROM undecodable_events WHERE portal_id = {} AND event = {} AND id <= (SELECT id FROM"
        " undecodable_events WHERE portal_id = {} AND event = {} ORDER BY id DESC LIMIT 1 OFFSET {})",
        *(portal_id, event, portal_id, event, kept),
    )


async def count_kept(portal_id: int, except_event: str) -> int:
    """How many events of a portal are kept, without those of this name."""
    table = UndecodableEventTable
    count: int = await table.count().where((table.portal_id == portal_id) & (table.event != except_event))
    return count


async def select_events(portal_id: int) -> list[Row]:
    """All kept events of a portal, oldest first."""
    table = UndecodableEventTable
    rows: list[Row] = await table.select().where(table.portal_id == portal_id).order_by(table.id)
    return rows


async def delete_event(portal_id: int, event_id: int) -> None:
    """Delete one event."""
    table = UndecodableEventTable
    await table.delete().where((table.portal_id == portal_id) & (table.id == event_id))


def _held() -> str:
    """The clause that holds the portal's row on PostgreSQL, so that no uninstall comes in between."""
    is_sqlite = UndecodableEventTable._meta.db.engine_type == "sqlite"  # noqa: SLF001  No public way.
    return "" if is_sqlite else " FOR SHARE OF p"
