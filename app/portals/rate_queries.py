"""How much each portal was sent, by all processes; one small statement a request, by the database's clock.

The machines' clocks differ, so only the database's counts; on SQLite all processes are on one machine.
"""

from app.kit.database import Database
from app.portals.tables import RateBucketTable

_LATE_MS = 5_000  # A statement that waited for its turn tells an older time; a clock that was set back more.
_KEPT_MS = 600_000  # Long after every backlog has melted away.
_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_POSTGRES_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
_LEFT = """
    CASE WHEN excluded.at_ms <= b.at_ms THEN b.backlog_ms
    WHEN excluded.at_ms - b.at_ms >= b.backlog_ms THEN 0
    ELSE b.backlog_ms - (excluded.at_ms - b.at_ms) END
"""
_AT = f"""
    CASE WHEN excluded.at_ms BETWEEN b.at_ms - {_LATE_MS} AND b.at_ms THEN b.at_ms ELSE excluded.at_ms END
"""
_INSERT = """
    INSERT INTO rate_buckets AS b (member_id, backlog_ms, at_ms)
    VALUES ({}, CAST({} AS BIGINT), COALESCE(CAST({} AS BIGINT), :now))
"""
_TAKE = (
    f"{_INSERT} ON CONFLICT (member_id) DO UPDATE"
    f" SET backlog_ms = {_LEFT} + excluded.backlog_ms, at_ms = {_AT}"
    f" WHERE {_LEFT} + excluded.backlog_ms <= {{}} RETURNING backlog_ms"
)
_FILL = (
    f"{_INSERT} ON CONFLICT (member_id) DO UPDATE SET at_ms = {_AT}, backlog_ms ="
    f" CASE WHEN {_LEFT} > excluded.backlog_ms THEN {_LEFT} ELSE excluded.backlog_ms END RETURNING backlog_ms"
)
_PURGE = f"DELETE FROM rate_buckets WHERE at_ms < :now - {_KEPT_MS}"  # noqa: S608  Ours.


async def take_from_bucket(
    database: Database, member_id: str, cost_ms: int, most_ms: int, now_ms: int | None = None
) -> int | None:
    """The portal's backlog after one more request; None when it would exceed `most_ms`.

    `now_ms` stands in for the database's clock where a test moves time.
    """
    rows = await RateBucketTable.raw(_with_clock(database, _TAKE), member_id, cost_ms, now_ms, most_ms)
    return int(rows[0]["backlog_ms"]) if rows else None


async def fill_bucket(database: Database, member_id: str, least_ms: int, now_ms: int | None = None) -> None:
    """Raise the portal's backlog to this, if it is lower."""
    await RateBucketTable.raw(_with_clock(database, _FILL), member_id, least_ms, now_ms)


async def erase_bucket(member_id: str) -> None:
    """Delete what concerns a portal that is gone."""
    await RateBucketTable.delete().where(RateBucketTable.member_id == member_id)


async def purge_buckets(database: Database) -> None:
    """Delete the accounts of portals that were sent nothing for long."""
    await RateBucketTable.raw(_with_clock(database, _PURGE))


def _with_clock(database: Database, sql: str) -> str:
    return sql.replace(":now", _SQLITE_NOW if database.is_sqlite else _POSTGRES_NOW)
