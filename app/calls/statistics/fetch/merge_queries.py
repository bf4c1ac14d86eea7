"""The statements of a merge beside those that read and write calls, portal first."""

from collections.abc import Collection

from app.kit.storage.database import Database
from app.kit.storage.row_arrays import encode_rows, rows_from

_ROW_TYPES = {"portal_id": "bigint", "statistics_id": "bigint"}
_OLD_TYPES = {"portal_id": "bigint", "before": "bigint", "after_id": "text"}
_READ = {"portal_id": "bigint", "generation": "integer", "at": "bigint"}


async def note_read(portal_id: int, generation: int, read_at: int, database: Database) -> None:
    """Note when the portal's statistics were last read to their end."""
    await database.run(
        f"UPDATE portals SET synced_at = k.at FROM {rows_from(database, _READ)} k"  # noqa: S608  Our names.
        " WHERE portals.id = k.portal_id AND portals.generation = k.generation AND state = 'installed'",
        encode_rows([(portal_id, generation, read_at)]),
    )


async def find_holders(portal_id: int, statistics_ids: Collection[int], database: Database) -> dict[int, str]:
    """The call that each of these ids of the statistics is stored under."""
    if not statistics_ids:
        return {}
    rows = await database.run(
        f"SELECT l.statistics_id, l.call_id FROM {rows_from(database, _ROW_TYPES)} k"  # noqa: S608  As above.
        " JOIN call_legs l ON l.portal_id = k.portal_id AND l.statistics_id = k.statistics_id",
        encode_rows((portal_id, one) for one in sorted(statistics_ids)),
    )
    return {int(str(row["statistics_id"])): str(row["call_id"]) for row in rows}


async def list_unsettled(
    portal_id: int, before: int, after: str, limit: int, database: Database
) -> list[str]:
    """The ids of the next calls, in the order of these ids, that have an old leg: a row that was gone before
    the moment `before`, or a telling that came before it.
    """
    rows = await database.run(
        f"SELECT DISTINCT l.call_id FROM {rows_from(database, _OLD_TYPES)} k"  # noqa: S608  As above.
        " JOIN call_legs l ON l.portal_id = k.portal_id AND l.call_id > k.after_id"
        " WHERE (l.statistics_id IS NULL OR l.gone_at IS NOT NULL)"
        f" AND COALESCE(l.gone_at, l.received_at) < k.before ORDER BY l.call_id LIMIT {limit}",
        encode_rows([(portal_id, before, after)]),
    )
    return [str(row["call_id"]) for row in rows]
