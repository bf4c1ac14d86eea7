"""Reading and writing how much each portal stores, portal first; calls are counted in pages."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from app.calls.space.sizes import TEXTS_OF_CALL, TEXTS_OF_LEG, Size, size_sql
from app.calls.tables import CallLegTable, CallTable, UsageTable
from app.kit.storage.database import Database
from app.kit.storage.row_arrays import encode_rows, rows_from
from app.portals.settings.quotas import Quotas

CALLS_A_PAGE = 5_000
_TYPES = {"portal_id": "bigint", "row_count": "bigint", "text_bytes": "bigint"}
_DUE = """
    SELECT p.id FROM portals p LEFT JOIN portal_usage u ON u.portal_id = p.id
    WHERE p.state = 'installed' AND COALESCE(u.counted_at, 0) <= {}
    ORDER BY COALESCE(u.counted_at, 0), p.id LIMIT {}
"""
_COUNTED = """
    INSERT INTO portal_usage (portal_id, {names}) SELECT p.id, {values} FROM portals p
    WHERE p.id = {{}} AND p.state = 'installed' {hold}
    ON CONFLICT (portal_id) DO UPDATE SET {changes}
"""


_NAMES = {"row_count": "rows", "text_bytes": "bytes"}  # The other quotas have the names of their columns.


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How much a portal stores; `counted_at`: when it was last counted (0: never)."""

    row_count: int = 0
    text_bytes: int = 0
    counted_at: int = 0
    undecodable: int = 0
    people: int = 0
    views: int = 0
    preferences: int = 0
    requests: int = 0
    departments: int = 0
    memberships: int = 0

    @property
    def size(self) -> Size:
        """The size of its calls and legs."""
        return Size(self.row_count, self.text_bytes)

    def list_reached(self, quotas: Quotas) -> list[str]:
        """The names of the quotas that the portal has reached."""
        limits = limits_of(quotas)
        return [name_of(column) for column in limits if getattr(self, column) >= limits[column]]


def name_of(column: str) -> str:
    """The name of a column's quota."""
    return _NAMES.get(column, column)


def limits_of(quotas: Quotas) -> dict[str, int]:
    """The quota of each column."""
    return {
        "row_count": quotas.rows,
        "text_bytes": quotas.text_bytes,
        "undecodable": quotas.undecodable_events,
        "people": quotas.people,
        "departments": quotas.departments,
        "memberships": quotas.memberships,
        "views": quotas.views,
        "preferences": quotas.preferences,
        "requests": quotas.requests,
    }


class CountedPage(NamedTuple):
    """The size of a page of calls with their legs, and the last of its ids (None: the page is empty)."""

    size: Size
    last: str | None


async def add_sizes(database: Database, sizes: Mapping[int, Size]) -> dict[int, Size]:
    """Add these sizes to the portals' totals; the new totals. An uninstalled portal is left out."""
    rows = [(portal_id, size.rows, size.text_bytes) for portal_id, size in sorted(sizes.items())]
    hold = "" if database.is_sqlite else " FOR SHARE OF p"
    found = await database.run(
        "INSERT INTO portal_usage (portal_id, row_count, text_bytes, counted_at)"  # noqa: S608  Our names.
        f" SELECT p.id, k.row_count, k.text_bytes, 0 FROM {rows_from(database, _TYPES)} k"
        f" JOIN portals p ON p.id = k.portal_id WHERE p.state = 'installed' ORDER BY p.id{hold}"
        " ON CONFLICT (portal_id) DO UPDATE SET row_count = portal_usage.row_count + excluded.row_count,"
        " text_bytes = portal_usage.text_bytes + excluded.text_bytes"
        " RETURNING portal_id, row_count, text_bytes",
        encode_rows(rows),
    )
    return {
        int(str(row["portal_id"])): Size(int(str(row["row_count"])), int(str(row["text_bytes"])))
        for row in found
    }


async def find_usage(portal_id: int) -> Usage:
    """The usage of a portal, as far as it is known; zeros before the first count."""
    row = await UsageTable.select().where(UsageTable.portal_id == portal_id).first()
    return msgspec.convert(row, Usage) if row else Usage()


async def note_counted(portal_id: int, usage: Usage, *, is_sqlite: bool) -> None:
    """Replace the usage of an installed portal by a count."""
    fields = msgspec.structs.asdict(usage)
    sql = _COUNTED.format(
        names=", ".join(fields),
        values=", ".join("CAST({} AS BIGINT)" for _ in fields),
        hold="" if is_sqlite else "FOR SHARE OF p",
        changes=", ".join(f"{name} = excluded.{name}" for name in fields),
    )
    await UsageTable.raw(sql.replace("{{}}", "{}"), *fields.values(), portal_id)


async def count_page(portal_id: int, after: str, *, is_sqlite: bool) -> CountedPage:
    """Count the next page of calls after this id, in the order of their ids."""
    of_call, of_leg = (size_sql(texts, is_sqlite=is_sqlite) for texts in (TEXTS_OF_CALL, TEXTS_OF_LEG))
    page = await CallTable.raw(
        "SELECT COUNT(*) AS n, COALESCE(SUM(size), 0) AS size, MAX(call_id) AS last FROM"  # noqa: S608  Ours.
        f" (SELECT call_id, {of_call} AS size FROM calls WHERE portal_id = {{}} AND call_id > {{}}"
        " ORDER BY call_id LIMIT {}) page",
        *(portal_id, after, CALLS_A_PAGE),
    )
    last = page[0]["last"]
    if last is None:
        return CountedPage(Size(), None)
    legs = await CallLegTable.raw(
        f"SELECT COUNT(*) AS n, COALESCE(SUM({of_leg}), 0) AS size FROM call_legs"  # noqa: S608  As above.
        " WHERE portal_id = {} AND call_id > {} AND call_id <= {}",
        *(portal_id, after, last),
    )
    return CountedPage(_size(page[0]) + _size(legs[0]), last)


async def list_due_counts(before: int, limit: int) -> list[int]:
    """The ids of portals of all tenants that were last counted before that moment, longest ago first."""
    return [row["id"] for row in await UsageTable.raw(_DUE, before, limit)]


async def count_at_quota(quotas: Quotas) -> dict[str, int]:
    """How many portals of all tenants have reached each quota, by its name."""
    limits = limits_of(quotas)
    counts = ", ".join(f"SUM(CASE WHEN {column} >= {{}} THEN 1 ELSE 0 END) AS {column}" for column in limits)
    rows = await UsageTable.raw(f"SELECT {counts} FROM portal_usage", *limits.values())  # noqa: S608  Ours.
    return {name_of(column): int(rows[0][column] or 0) for column in limits}


async def delete_usage(portal_id: int) -> None:
    """Delete the portal's usage."""
    await UsageTable.delete().where(UsageTable.portal_id == portal_id)


def _size(row: Mapping[str, Any]) -> Size:
    return Size(int(row["n"]), int(row["size"]))
