"""Asking a portal for ranges of its call statistics, many in one request, and refusing wrong answers.

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
    """The part of `PortalAccess` that reading the statistics needs."""

    async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
        """Call up to 50 methods in one request, with the portal's stored token."""
        ...


class StatisticsRefusedError(Exception):
    """The portal's answer, or a part of it, cannot be relied on, so the read ends. Rows of other parts may be
    stored. `code` tells the vendor why.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"the portal's call statistics cannot be relied on now ({code}); try again later")


class Question(msgspec.Struct, frozen=True):
    """One page of a range: its lowest ids, or its highest where `is_descending`. `user_id`: only that user's
    rows (None: only rows without a user), or ANYBODY's. `counted_since`: ask instead for the number of rows
    of calls that began then or later (0: of all).
    """

    range: Range
    is_descending: bool = False
    user_id: int | None = ANYBODY
    counted_since: int | None = None


class Page(msgspec.Struct, frozen=True):
    """The rows of one question, by id in the order of the question.

    `odd`: the rows in which something could not be read, with the reasons. `is_whole`: every row has become a
    record, even if something in it could not be read.
    """

    ids: list[int]
    records: list[StatisticsRecord]
    odd: list[tuple[Row, str]]
    is_whole: bool


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a batch: pages or totals by question, codes of failed questions, and the portal's times.

    `partial`: pages that failed because one of their rows has no readable id. Their other rows are true, so
    the reader may store them.
    """

    pages: dict[Question, Page] = {}
    totals: dict[Question, int] = {}
    partial: list[Page] = []
    codes: dict[Question, str] = {}
    began_at: int | None = None
    duration_s: float | None = None
    times: list[Times] = []

    def find_failure(self) -> str | None:
        """The code of a failed question; None without one. Questions with an answer that is too large do not
        count, because the reader asks for their parts.
        """
        return next((code for code in self.codes.values() if code != TOO_LARGE), None)


def page_of_one(portal: Portal, statistics_id: int) -> Page:
    """A page with one record, for a row that is larger than any honest answer: the record has the id of the
    row, and all else is unknown.
    """
    row = {"ID": str(statistics_id)}
    record, _ = _read_row(row)
    log.warning("statistics row too large", portal_id=portal.id)
    return Page([statistics_id], [] if record is None else [record], [(row, TOO_LARGE)], is_whole=True)


async def ask(access: StatisticsAccess, portal: Portal, questions: Sequence[Question]) -> Reply:
    """Ask the questions (50 at most) in one request, and return the reply.

    Raises the errors of PortalAccess, and StatisticsRefusedError when a page holds other rows than it should:
    a portal silently drops a filter that it does not understand.
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
            # The total counts even if its page of rows is too large.
            reply.totals[question] = answer.totals[name]
        elif name in answer.errors:
            reply.codes[question] = answer.errors[name].code
        elif question.counted_since is not None:
            reply.codes[question] = NO_TOTAL
        elif _is_list_of_rows(answer.results.get(name)):
            _take(reply, question, _read_page(portal, question, answer.results[name][:PAGE_ROWS]))
            await asyncio.sleep(0)  # Lets events go first: all pages at once would hold them up for 100 ms.
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
        # -1: the portal need not count the rows; counting makes the method slow.
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

    Raises the errors of PortalAccess, and StatisticsRefusedError when rows of other calls come, as they do
    from a portal that does not understand the filter.
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
    except Undecodable as error:  # The ID of the row is not a number.
        raise StatisticsRefusedError(WITHOUT_ID) from error
