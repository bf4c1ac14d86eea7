"""Reading the ranges of a plan in batches, and storing their rows, at the pace that the portal bears."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from app.bitrix24.errors import TOO_LARGE, TooLarge
from app.bitrix24.incoming.statistics import StatisticsRecord
from app.calls.oddities.undecodable_events import keep_rows
from app.calls.space.destination import Destination
from app.calls.statistics.fetch.merge import write_rows
from app.calls.statistics.fetch.range_requests import (
    Page,
    Question,
    Reply,
    Row,
    StatisticsAccess,
    StatisticsRefusedError,
    ask,
    page_of_one,
)
from app.calls.statistics.progress.pace import MOST_PAGES, OPERATING_WINDOW_S, plan_pages, plan_rest
from app.calls.statistics.progress.plan import OPEN, Plan, Progress, Range
from app.kit.clock import Clock
from app.kit.storage.database import Dialect
from app.portals.model import Portal

# The most that one transaction writes. On SQLite every other writer waits for the transaction, some 5 ms at
# this size; at half this size each row costs a quarter more. On PostgreSQL a transaction costs ten messages,
# and nobody waits for it.
CHUNK_ROWS: Mapping[Dialect, int] = {"sqlite": 50, "postgresql": 100}
CHUNK_CHARACTERS = 100_000
MOST_TRIES = 5
SEARCH_S = 30  # Time for the 62 requests that a search may need, at two a second; it is half of a turn.
OUT_OF_TIME = "operation_time_limit"
NEWEST = Question(Range(1, OPEN), is_descending=True)
OLDEST = Question(Range(1, OPEN))


class Look(msgspec.Struct, frozen=True):
    """The answer to one request. `ids`: those of each range's first page (None: it failed). `ends`: the
    lowest and the highest id of each user with any shown row.
    """

    ids: dict[Range, list[int] | None]
    ends: dict[int | None, tuple[int, int]]


class BatchReader:
    """Reads one portal's statistics, counts the rows and calls that it read and stored, and says how fast to
    go on.

    `pages`: the size of the next batch. `rest_s`: seconds for which to let the portal rest before it.
    `taken_ids`: the ids that were another call's until now.
    """

    def __init__(
        self, access: StatisticsAccess, clock: Clock, portal: Portal, destination: Destination, pages: int
    ) -> None:
        self._access = access
        self._clock = clock
        self._portal = portal
        self.destination = destination
        self.pages = pages
        self.rest_s = 0
        self.began_at: int | None = None  # When the first request began, by the portal's clock.
        self.last_began_at: int | None = None
        self.rows = self.inserted = self.changed = self.undecodable = 0
        self.high_id = 0  # The highest id that was read.
        self.taken_ids: set[int] = set()
        self._most_pages = MOST_PAGES  # Fewer once an answer was too large.

    async def read_batch(self, plan: Plan, found: set[int] | None = None) -> Progress:
        """Send one request for the plan's next ranges; return the progress once the rows are stored, and
        their ids added to `found`.

        Raises the errors of `ask`, and StatisticsRefusedError when a range has failed five times.
        """
        asked = plan.take(self.pages)
        try:
            reply = await self._ask([Question(one) for one in asked])
        except TooLarge:
            if len(asked) > 1:
                self.pages = self._most_pages = len(asked) // 2
                plan.put_back(asked)
                return plan.settle({})
            reply = Reply(codes={Question(asked[0]): TOO_LARGE})
        answered = [one for one in asked if not self._split(plan, one, reply)]
        pages = [*reply.pages.values(), *reply.partial]
        await self._store(pages)
        if found is not None:
            found.update(*(page.ids for page in pages))
        progress = plan.settle({one: _ids_of(reply, Question(one)) for one in answered})
        failure = reply.find_failure()
        if failure and plan.most_tries >= MOST_TRIES:
            raise StatisticsRefusedError(failure)
        return progress

    def _split(self, plan: Plan, asked: Range, reply: Reply) -> bool:
        """Have the plan ask for the halves of a range whose page is too large. True if it will; False if the
        page is not too large, or the range is a single id. A single row that is too large becomes a page by
        itself, so that no history stands still.
        """
        question = Question(asked)
        if reply.codes.get(question) != TOO_LARGE:
            return False
        if plan.split(asked):
            return True
        reply.pages[question] = page_of_one(self._portal, asked.low)
        return False

    async def count(self, ranges: Sequence[Range], since: int) -> list[int | None]:
        """How many rows of calls that began at `since` or later (0: all) the portal counts in each range;
        None for a range whose answer alone is too large. Raises the errors of `ask`, and
        StatisticsRefusedError.
        """
        if len(ranges) > self.pages:  # No more in one request than the portal answers in good time.
            first = await self.count(ranges[: self.pages], since)
            return [*first, *await self.count(ranges[len(first) :], since)]
        questions = [Question(one, counted_since=since) for one in ranges]
        try:
            reply = await self._ask(questions)
        except TooLarge:
            middle = len(ranges) // 2
            if not middle:
                return [None]
            return [*await self.count(ranges[:middle], since), *await self.count(ranges[middle:], since)]
        if failure := reply.find_failure():
            raise StatisticsRefusedError(failure)
        return [reply.totals.get(question) for question in questions]

    async def look(self, ranges: Sequence[Range], user_ids: Sequence[int | None]) -> Look:
        """Ask for the first page of each range, which is stored, and for the ends of each user's rows: in one
        request, so that the same rights show both. Raises the errors of `ask`.
        """
        pages = {one: Question(one) for one in ranges}
        ends = {
            one: [Question(Range(1, OPEN), is_down, one) for is_down in (False, True)] for one in user_ids
        }
        reply = await self._ask([*pages.values(), *(question for both in ends.values() for question in both)])
        await self._store(reply.pages[one] for one in pages.values() if one in reply.pages)
        found = {user: [_ids_of(reply, question) for question in both] for user, both in ends.items()}
        return Look(
            {one: _ids_of(reply, question) for one, question in pages.items()},
            {user: (low[0], high[0]) for user, (low, high) in found.items() if low and high},
        )

    async def read_ends(self) -> tuple[list[int], int]:
        """Ask for the newest page, which is stored, and the oldest, in one request; the newest ids,
        descending, and the lowest id of all.

        Raises the errors of `read_batch`.
        """
        try:
            reply = await self._ask((NEWEST, OLDEST))
        except TooLarge:
            reply = Reply(codes={NEWEST: TOO_LARGE, OLDEST: TOO_LARGE})
        if failure := reply.find_failure():
            await self._store(reply.partial)
            raise StatisticsRefusedError(failure)
        newest = reply.pages.get(NEWEST) or await self._search_newest()
        await self._store([newest])
        return newest.ids, min(_ids_of(reply, OLDEST) or [1])

    async def _search_newest(self) -> Page:
        """The rows from some id up, few enough for one answer, because the newest page is too large."""
        large_from, empty_from, until = 1, OPEN, self._clock.now() + SEARCH_S
        while empty_from - large_from > 1:
            if self._clock.now() > until:
                raise StatisticsRefusedError(TOO_LARGE)
            middle = (large_from + empty_from) // 2
            page = await self._ask_one(Question(Range(middle, OPEN), is_descending=True))
            if page is None:
                large_from = middle
            elif page.ids:
                return page
            else:
                empty_from = middle
        return page_of_one(self._portal, large_from)

    async def _ask_one(self, question: Question) -> Page | None:
        """The question's page; None where it is too large."""
        try:
            reply = await self._ask([question])
        except TooLarge:
            return None
        if failure := reply.find_failure():
            raise StatisticsRefusedError(failure)
        return reply.pages.get(question)

    async def _ask(self, questions: Sequence[Question]) -> Reply:
        begun = time.perf_counter()
        reply = await ask(self._access, self._portal, questions)
        duration_s = time.perf_counter() - begun if reply.duration_s is None else reply.duration_s
        self.began_at = reply.began_at if self.began_at is None else self.began_at
        self.last_began_at = reply.began_at
        self.pages = min(self._most_pages, plan_pages(len(questions), duration_s))
        self.rest_s = plan_rest(reply.times, self.pages, duration_s / len(questions))
        if OUT_OF_TIME in reply.codes.values():
            self.rest_s = self.rest_s or OPERATING_WINDOW_S
        return reply

    async def _store(self, pages: Iterable[Page]) -> None:
        records: list[StatisticsRecord] = []
        for page in pages:
            self.rows += len(page.ids)
            self.undecodable += len(page.odd)
            await self._keep(page.odd)
            self.high_id = max(self.high_id, *page.ids) if page.ids else self.high_id
            records += page.records
        for chunk in split_into_chunks(records, CHUNK_ROWS[self.destination.database.dialect]):
            await self._write(chunk)

    async def _keep(self, odd: Sequence[tuple[Row, str]]) -> None:
        if odd:
            await keep_rows(self.destination, odd, self._clock.now())

    async def _write(self, records: Sequence[StatisticsRecord]) -> None:
        written = await write_rows(self.destination, records, self._clock.now())
        self.inserted += written.inserted
        self.changed += written.changed
        self.taken_ids |= written.taken_ids


def split_into_chunks(
    records: Iterable[StatisticsRecord], most_rows: int
) -> Iterator[list[StatisticsRecord]]:
    """The records in their order, in lists that one transaction may write. Each list has at least one record,
    however long the texts of that record are.
    """
    chunk: list[StatisticsRecord] = []
    characters = 0
    for record in records:
        length = len(record.comment or "") + len(record.reason or "")
        if chunk and (len(chunk) == most_rows or characters + length > CHUNK_CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(record)
        characters += length
    if chunk:
        yield chunk


def _ids_of(reply: Reply, question: Question) -> list[int] | None:
    page = reply.pages.get(question)
    return None if page is None else page.ids
