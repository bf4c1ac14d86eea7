"""The stored rows of a portal's statistics, as the audit compares them. Portal first.

A row counts as stored unless it is noted as gone or as lacked.
"""

from typing import Any

from app.calls.tables import CallLegTable

IDS_A_STATEMENT = 100_000  # So that no statement walks a whole large portal.
_SHOWN = "portal_id = {} AND statistics_id BETWEEN {} AND {} AND gone_at IS NULL AND lacked_at IS NULL"
_COUNT = f"""
    SELECT COUNT(*) AS n, MAX(statistics_id) AS top FROM (SELECT statistics_id FROM call_legs
    WHERE {_SHOWN} AND started_at >= {{}} ORDER BY statistics_id LIMIT {{}}) counted
"""  # noqa: S608  Our own names.
_IDS = f"SELECT statistics_id FROM call_legs WHERE {_SHOWN} AND started_at >= {{}} LIMIT {{}}"  # noqa: S608
_LACKED = """
    SELECT statistics_id, user_id FROM call_legs
    WHERE portal_id = {} AND statistics_id IS NOT NULL AND lacked_at IS NOT NULL AND gone_at IS NULL LIMIT {}
"""
_NEWEST = "SELECT MAX(statistics_id) AS top FROM call_legs WHERE portal_id = {}"
_ROWS = """
    SELECT 1 AS one FROM call_legs WHERE portal_id = {} AND statistics_id > 0 AND gone_at IS NULL LIMIT 1
"""
MOST_IDS = 100_000


async def count_stored(portal_id: int, low: int, high: int, since: int) -> int:
    """How many rows of calls that began at `since` or later are stored with ids from `low` to `high`."""
    total = 0
    while low <= high:
        values = (portal_id, low, high, since, IDS_A_STATEMENT)
        row: dict[str, Any] = (await CallLegTable.raw(_COUNT, *values))[0]
        total += row["n"]
        if row["n"] < IDS_A_STATEMENT:
            break
        low = row["top"] + 1
    return total


async def list_stored(portal_id: int, low: int, high: int, since: int) -> set[int]:
    """The ids of the rows that `count_stored` counts, 100,000 at most."""
    rows = await CallLegTable.raw(_IDS, portal_id, low, high, since, MOST_IDS)
    return {row["statistics_id"] for row in rows}


async def list_lacked(portal_id: int) -> dict[int, int | None]:
    """The rows that reads lack though nothing proves that they are gone: the id of each row, and its user."""
    rows = await CallLegTable.raw(_LACKED, portal_id, MOST_IDS)
    return {row["statistics_id"]: row["user_id"] for row in rows}


async def find_newest_stored(portal_id: int) -> int:
    """The highest stored id, also of rows that are gone or lacked; 0: none is stored."""
    found: int | None = (await CallLegTable.raw(_NEWEST, portal_id))[0]["top"]
    return found or 0


async def has_rows(portal_id: int) -> bool:
    """Whether any row is stored that is not known to be deleted; rows that reads lack count too."""
    return bool(await CallLegTable.raw(_ROWS, portal_id))


async def has_lacked(portal_id: int) -> bool:
    """Whether reads lack any row that is not proved to be gone."""
    return bool(await CallLegTable.raw(_LACKED, portal_id, 1))
