"""Queries on the requests that all processes have sent to each portal: one small statement a request.

Only the database's clock counts, because the machines' clocks differ; on SQLite there is only one machine.
"""

from collections.abc import Sequence

from app.kit.storage.database import Database
from app.kit.storage.light_commits import commit_lightly
from app.portals.tables import RateBucketTable

# A statement that waited for its turn brings a time that is too early by less than this. A time that is even
# earlier shows that the clock was set back.
_LATE_MS = 5_000
KEPT_MS = 600_000  # Long after every backlog has drained.
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
_ROW = "({}, CAST({} AS BIGINT), COALESCE(CAST({} AS BIGINT), :now))"
_INSERT = "INSERT INTO rate_buckets AS b (member_id, backlog_ms, at_ms) VALUES :rows"
_TAKE = (
    f"{_INSERT} ON CONFLICT (member_id) DO UPDATE"
    f" SET backlog_ms = {_LEFT} + excluded.backlog_ms, at_ms = {_AT}"
    f" WHERE {_LEFT} + excluded.backlog_ms <= {{}} RETURNING backlog_ms"
)
_FILL = (
    f"{_INSERT} ON CONFLICT (member_id) DO UPDATE SET at_ms = {_AT}, backlog_ms ="
    f" CASE WHEN {_LEFT} > excluded.backlog_ms THEN {_LEFT} ELSE excluded.backlog_ms END RETURNING backlog_ms"
)
_PURGE = f"DELETE FROM rate_buckets WHERE at_ms < :now - {KEPT_MS}"  # noqa: S608  Ours.


async def take_from_buckets(
    database: Database, keys: Sequence[str], cost_ms: int, most_ms: int, now_ms: int | None = None
) -> int | None:
    """The largest backlog after one more request in each bucket; None if a bucket would exceed `most_ms`.

    If only one bucket is full, the other bucket still counts the request, so a portal whose host is busy
    loses half a second of its own allowance. `now_ms` replaces the database's clock if a test moves time.
    """
    sql = _complete(database, _TAKE, len(keys))
    with commit_lightly():
        rows = await RateBucketTable.raw(sql, *_values(keys, cost_ms, now_ms), most_ms)
    return max(int(row["backlog_ms"]) for row in rows) if len(rows) == len(keys) else None


async def fill_buckets(
    database: Database, keys: Sequence[str], least_ms: int, now_ms: int | None = None
) -> None:
    """Raise lower backlogs to `least_ms`."""
    with commit_lightly():
        await RateBucketTable.raw(_complete(database, _FILL, len(keys)), *_values(keys, least_ms, now_ms))


def _values(keys: Sequence[str], ms: int, now_ms: int | None) -> list[object]:
    return [value for key in keys for value in (key, ms, now_ms)]


async def erase_buckets(member_id: str, domain: str) -> None:
    """Delete the buckets of a portal that is gone, and of its host."""
    await RateBucketTable.delete().where(RateBucketTable.member_id.is_in([member_id, f"host:{domain}"]))


async def purge_buckets(database: Database) -> None:
    """Delete the buckets that no request has filled for ten minutes."""
    async with database.patient_transaction():
        await RateBucketTable.raw(_with_clock(database, _PURGE))


def _complete(database: Database, sql: str, buckets: int) -> str:
    return _with_clock(database, sql.replace(":rows", ", ".join([_ROW] * buckets)))


def _with_clock(database: Database, sql: str) -> str:
    return sql.replace(":now", _SQLITE_NOW if database.is_sqlite else _POSTGRES_NOW)
