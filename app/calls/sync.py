"""Reading the last day of a portal's call statistics into the log: nothing that came by event is lost to it.

Every chunk is written in a transaction that holds the portal's row in the generation that the read began
with: a read that outlives its installation writes nothing.
Documentation: api-reference/telephony/voximplant/voximplant-statistic-get.md.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import structlog

from app.bitrix24.call_end import Undecodable
from app.bitrix24.rest import Answer
from app.bitrix24.statistics import StatisticsRecord, decode_statistics_row
from app.calls.changes import Changes
from app.calls.sync_writes import Installation, drop_disproved_legs, note_read, write_rows
from app.kit.clock import Clock
from app.kit.database import Database
from app.portals.access import PortalUnreachableError
from app.portals.model import Portal

METHOD = "voximplant.statistic.get"
WINDOW_S = 86_400
PAGE_ROWS = 50
CHUNK_ROWS = 500
MAX_PAGES = 2_000
log = structlog.get_logger(__name__)
Row = Mapping[str, object]


class StatisticsAccess(Protocol):
    """What is needed of `PortalAccess`."""

    async def call(self, portal: Portal, method: str, parameters: Mapping[str, object]) -> Answer:
        """Call a method with the portal's stored token."""
        ...


class SyncResult(msgspec.Struct, frozen=True):
    """What one read did. `undecodable` rows are counted and left out; `read_from` is Unix seconds."""

    read_from: int
    rows: int
    calls_inserted: int
    calls_changed: int
    undecodable: int


async def read_last_day(
    access: StatisticsAccess, database: Database, clock: Clock, changes: Changes, portal: Portal
) -> SyncResult:
    """Read the statistics of the last 24 hours and write what the log lacks.

    Raises what PortalAccess raises; PortalNotConnectedError also when the portal was uninstalled or installed
    anew meanwhile. What was written before stays: each row is true by itself.
    """
    began_at = clock.now()
    installation = Installation(database, changes, portal.id, portal.generation)
    reader = _Reader(access, portal, began_at - WINDOW_S)
    inserted = changed = 0
    async for records in reader.read_chunks():
        written = await write_rows(installation, records, began_at)
        inserted, changed = inserted + written.inserted, changed + written.changed
    changed += await drop_disproved_legs(installation, began_at - WINDOW_S, began_at)
    await note_read(installation, began_at)
    return SyncResult(began_at - WINDOW_S, reader.rows, inserted, changed, reader.undecodable)


class _Reader:
    """Pages through the statistics by id: no page depends on how many rows there are by now."""

    def __init__(self, access: StatisticsAccess, portal: Portal, read_from: int) -> None:
        self._access = access
        self._portal = portal
        self._read_from = datetime.fromtimestamp(read_from, UTC).isoformat()
        self.rows = 0
        self.undecodable = 0

    async def read_chunks(self) -> AsyncIterator[list[StatisticsRecord]]:
        """The records, at most CHUNK_ROWS at once."""
        chunk: list[StatisticsRecord] = []
        async for page in self._read_pages():
            chunk += self._decode(page)
            if len(chunk) > CHUNK_ROWS - PAGE_ROWS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    async def _read_pages(self) -> AsyncIterator[list[Row]]:
        last_id = 0
        for _ in range(MAX_PAGES):
            page = _sorted_page(await self._read_page(last_id))
            if page and page[0][0] <= last_id:
                raise PortalUnreachableError("the statistics repeat themselves: the filter was not applied")
            yield [row for _, row in page]
            if len(page) < PAGE_ROWS:
                return
            last_id = page[-1][0]
        raise PortalUnreachableError("the statistics of one day do not end")

    async def _read_page(self, last_id: int) -> object:
        answer = await self._access.call(
            self._portal,
            METHOD,
            {
                "FILTER": {">=CALL_START_DATE": self._read_from, ">ID": last_id},
                "SORT": "ID",
                "ORDER": "ASC",
                "start": -1,  # Do not count the rows: it is what makes the method slow.
            },
        )
        return answer.result

    def _decode(self, page: Sequence[Row]) -> Iterator[StatisticsRecord]:
        for row in page:
            self.rows += 1
            try:
                yield decode_statistics_row(row)
            except Undecodable as error:
                self.undecodable += 1
                log.warning("statistics row not decoded", portal_id=self._portal.id, reason=error.reason)


def _sorted_page(result: object) -> list[tuple[int, Row]]:
    """The rows with their ids, in order; rows without a readable id cannot be paged past."""
    if not isinstance(result, list) or not all(isinstance(row, dict) for row in result):
        raise PortalUnreachableError("the statistics are not a list of rows")
    try:
        return sorted(((int(row["ID"]), row) for row in result), key=lambda pair: pair[0])
    except (KeyError, TypeError, ValueError):
        raise PortalUnreachableError("a row of the statistics has no id") from None
