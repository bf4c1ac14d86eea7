"""Asking a portal for ranges of its call statistics, many in one request, and refusing odd answers.

Documentation: api-reference/telephony/voximplant/voximplant-statistic-get.md, batch.md.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Protocol

import msgspec
import structlog

from app.bitrix24.errors import TOO_LARGE
from app.bitrix24.incoming.call_end import Undecodable
from app.bitrix24.incoming.statistics import StatisticsRecord, read_statistics_row
from app.bitrix24.rest.portal_client import BatchAnswer, Command
from app.calls.statistics.progress.pace import Times, read_duration, read_moment
from app.calls.statistics.progress.plan import OPEN, PAGE_ROWS, Range
from app.portals.model import Portal

METHOD = "voximplant.statistic.get"
MALFORMED = "malformed_answer"
MISSING = "no_answer"
WITHOUT_ID = "row_without_id"
FILTER_DROPPED = "filter_not_applied"
NO_TOTAL = "no_total"
ANYBODY = -1
log = structlog.get_logger(__name__)
Row = Mapping[str, object]


class StatisticsAccess(Protocol):
    """What is needed of `PortalAccess`."""

    async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
        """Up to 50 methods in one request, with the portal's stored token."""
        ...


class StatisticsRefusedError(Exception):
    """The answers cannot be relied on; nothing of them was stored. `code` says why, for the vendor."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"the portal's call statistics cannot be relied on now ({code}); try again later")


class Question(msgspec.Struct, frozen=True):
    """One page of a range: its lowest ids, or its highest where `is_descending`; of one user's rows (None:
    nobody's), unless ANYBODY's are asked for. `counted_since`: instead, how many rows it holds of calls
    that began then or later (0: all).
    """

    range: Range
    is_descending: bool = False
    user_id: int | None = ANYBODY
    counted_since: int | None = None


class Page(msgspec.Struct, frozen=True):
    """The rows of one question, by id in the order that was asked for.

    `odd` are the rows in which not everything could be read, with the reasons. `is_whole`: each is a record
    all the same.
    """

    ids: list[int]
    records: list[StatisticsRecord]
    odd: list[tuple[Row, str]]
    is_whole: bool


class Reply(msgspec.Struct, frozen=True):
    """What a batch brought: pages or totals by question, codes of those that failed, and the portal's
    own times.

    `partial` are pages with a row that cannot be told from others: true as far as they go, and failed.
    """

    pages: dict[Question, Page] = {}
    totals: dict[Question, int] = {}
    partial: list[Page] = []
    codes: dict[Question, str] = {}
    began_at: int | None = None
    duration_s: float | None = None
    times: list[Times] = []

    def find_failure(self) -> str | None:
        """The code of a question that failed otherwise than by an answer that is too large, which is asked
        for in parts.
        """
        return next((code for code in self.codes.values() if code != TOO_LARGE), None)


def page_of_one(portal: Portal, statistics_id: int) -> Page:
    """A row that is larger than any honest answer, by its id alone: everything else in it is unknown."""
    row = {"ID": str(statistics_id)}
    record, _ = _read_row(row)
    log.warning("statistics row too large", portal_id=portal.id)
    return Page([statistics_id], [] if record is None else [record], [(row, TOO_LARGE)], is_whole=True)


async def ask(access: StatisticsAccess, portal: Portal, questions: Sequence[Question]) -> Reply:
    """One request with a command for each question (50 at most).

    Raises what PortalAccess raises, and StatisticsRefusedError when a page holds other rows than were asked
    for: the portal drops a filter that it does not understand, silently.
    """
    names = {f"p{index}": question for index, question in enumerate(questions)}
    answer = await access.batch(portal, {name: _command(question) for name, question in names.items()})
    reply = Reply(
        began_at=read_moment(answer.time),
        duration_s=read_duration(answer.time),
        times=[*answer.times.values()],
    )
    for name, question in names.items():
        if question.counted_since is not None and name in answer.totals:
            reply.totals[question] = answer.totals[
                name
            ]  # Also where the rows that come with it are too large.
        elif name in answer.errors:
            reply.codes[question] = answer.errors[name].code
        elif question.counted_since is not None:
            reply.codes[question] = NO_TOTAL
        elif _is_list_of_rows(answer.results.get(name)):
            _take(reply, question, _read_page(portal, question, answer.results[name][:PAGE_ROWS]))
            await asyncio.sleep(0)  # Events go first: all pages at once would hold them up for 100 ms.
        else:
            reply.codes[question] = MALFORMED if name in answer.results else MISSING
    return reply


def _command(question: Question) -> Command:
    low, high, since = question.range.low, question.range.high, question.counted_since
    conditions: dict[str, object] = {">=ID": low}
    if high != OPEN:
        conditions["<=ID"] = high
    if question.user_id != ANYBODY:
        conditions["PORTAL_USER_ID"] = question.user_id or ""
    if since:
        conditions[">=CALL_START_DATE"] = datetime.fromtimestamp(since, UTC).isoformat()
    return METHOD, {
        "FILTER": conditions,
        "SORT": "ID",
        "ORDER": "DESC" if question.is_descending else "ASC",
        # -1: the portal need not count the rows, which is what makes the method slow.
        "start": -1 if since is None else 0,
    }


def _is_list_of_rows(result: object) -> bool:
    return isinstance(result, list) and all(isinstance(row, dict) for row in result)


def _take(reply: Reply, question: Question, page: Page) -> None:
    if question.user_id != ANYBODY and any(one.user_id != question.user_id for one in page.records):
        reply.codes[question] = FILTER_DROPPED
    elif page.is_whole:
        reply.pages[question] = page
    else:
        reply.partial.append(page)
        reply.codes[question] = WITHOUT_ID


def _read_page(portal: Portal, question: Question, rows: Sequence[Row]) -> Page:
    records: list[StatisticsRecord] = []
    odd: list[tuple[Row, str]] = []
    for row in rows:
        record, reason = _read_row(row)
        if record is not None:
            records.append(record)
        if reason:
            odd.append((row, reason))
    if odd:  # One line a page: a portal may send nothing but odd rows.
        log.warning("statistics rows not decoded", portal_id=portal.id, rows=len(odd), reason=odd[0][1])
    ids = [record.statistics_id for record in records]
    rising = ids[::-1] if question.is_descending else ids
    if any(before >= after for before, after in pairwise(rising)):
        raise StatisticsRefusedError("order_not_applied")
    if rising and not question.range.low <= rising[0] <= rising[-1] <= question.range.high:
        raise StatisticsRefusedError(FILTER_DROPPED)
    return Page(ids, records, odd, len(records) == len(rows))


def _read_row(row: Row) -> tuple[StatisticsRecord | None, str]:
    try:
        return read_statistics_row(row)
    except Undecodable as error:
        return None, error.reason


async def ask_for_call(access: StatisticsAccess, portal: Portal, call_id: str) -> list[StatisticsRecord]:
    """The rows that the portal shows of this call: its legs.

    Raises what PortalAccess raises, and StatisticsRefusedError when others come, as they do where a filter is
    not understood.
    """
    command: Command = (
        METHOD,
        {"FILTER": {"CALL_ID": call_id}, "SORT": "ID", "ORDER": "ASC", "start": -1},
    )
    answer = await access.batch(portal, {"call": command})
    for error in answer.errors.values():
        raise error
    rows = answer.results.get("call")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise StatisticsRefusedError(MALFORMED)
    if any(row.get("CALL_ID") != call_id or not row.get("ID") for row in rows):
        raise StatisticsRefusedError("filter_not_applied")
    try:
        return [read_statistics_row(row)[0] for row in rows[:PAGE_ROWS]]
    except Undecodable as error:  # An ID that is there and is none.
        raise StatisticsRefusedError(WITHOUT_ID) from error
