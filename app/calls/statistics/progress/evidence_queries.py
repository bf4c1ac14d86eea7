"""Writing which portals' statistics are to be read soon.

Evidence keeps its newest moment, so that a read which began before it does not settle it. The moment
for late facts stays that of the first call: if every call moved it, a busy portal would never come to it.
After the read, `finish_read` sets the moment for later calls.
"""

from collections.abc import Collection, Mapping

from app.calls.tables import StatisticsMarkTable
from app.kit.storage.database import Database
from app.kit.storage.row_arrays import encode_rows, rows_from

MARKS_A_STEP = 500
_TYPES = {"portal_id": "bigint", "at": "bigint"}


async def want_reads(database: Database, portal_ids: Collection[int], now: int) -> None:
    """Have these portals read: there is evidence that the log lacks calls of theirs."""
    await _want(database, "evidence_at", dict.fromkeys(portal_ids, now), "OR evidence_at < k.at")


async def want_late_facts(database: Database, times: Mapping[int, int]) -> None:
    """Have these portals read at these times, when they will have the late facts of calls that ended."""
    await _want(database, "late_facts_at", times, "")


async def want_read_everywhere(now: int) -> None:
    """Have all portals read, because events of any portal may be lost. In steps, so that events get their
    turn in between.
    """
    marks = StatisticsMarkTable
    is_older = marks.evidence_at.is_null() | (marks.evidence_at < now)
    while True:
        some = marks.select(marks.portal_id).where(is_older).limit(MARKS_A_STEP)
        changed = marks.update({marks.evidence_at: now}).where(marks.portal_id.is_in(some))
        if not await changed.returning(marks.portal_id):
            return


async def _want(database: Database, column: str, times: Mapping[int, int], or_else: str) -> None:
    noted = sorted(times.items())
    for begin in range(0, len(noted), MARKS_A_STEP):
        await database.run(
            f"UPDATE statistics_marks SET {column} = k.at FROM {rows_from(database, _TYPES)} k"  # noqa: S608
            f" WHERE statistics_marks.portal_id = k.portal_id AND ({column} IS NULL {or_else})",
            encode_rows(noted[begin : begin + MARKS_A_STEP]),
        )
