"""Writing which portals' statistics are to be read soon.

Evidence keeps its newest moment, so that a read which began before it does not settle it. What comes late is
wanted from the first call on, or a busy portal would put it off for ever; `finish_read` sees to the others.
"""

from collections.abc import Collection, Mapping

from app.calls.tables import StatisticsMarkTable
from app.kit.database import Database
from app.kit.rows import encode_rows, rows_source

_TYPES = {"portal_id": "bigint", "at": "bigint"}


async def want_reads(database: Database, portal_ids: Collection[int], now: int) -> None:
    """Something speaks for calls of these portals that are missing from the log."""
    await _want(database, "evidence_at", dict.fromkeys(portal_ids, now), "OR evidence_at < k.at")


async def want_late_facts(database: Database, times: Mapping[int, int]) -> None:
    """Calls of these portals have ended, and at these times what comes late to them will be there."""
    await _want(database, "late_facts_at", times, "")


async def want_read_everywhere(now: int) -> None:
    """Events of any portal may be lost."""
    marks = StatisticsMarkTable
    is_older = marks.evidence_at.is_null() | (marks.evidence_at < now)
    await marks.update({marks.evidence_at: now}).where(is_older)


async def _want(database: Database, column: str, times: Mapping[int, int], or_else: str) -> None:
    if times:
        await database.run(
            f"UPDATE statistics_marks SET {column} = k.at FROM {rows_source(database, _TYPES)} k"  # noqa: S608
            f" WHERE statistics_marks.portal_id = k.portal_id AND ({column} IS NULL {or_else})",
            encode_rows(sorted(times.items())),
        )
