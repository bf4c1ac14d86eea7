"""Reading the ranges of a plan in batches and storing what they bring, at the pace that the portal bears."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from app.bitrix24.errors import TOO_LARGE, TooLarge
from app.bitrix24.statistics import StatisticsRecord
from app.calls.asking import (
    Page,
    Question,
    Reply,
    Row,
    StatisticsAccess,
    StatisticsRefusedError,
    ask,
    count_rows,
    find_ends,
    page_of_one,
)
from app.calls.pace import MOST_PAGES, OPERATING_WINDOW_S, plan_pages, plan_rest
from app.calls.plan import OPEN, Plan, Progress, Range
from app.calls.sync_writes import Installation, write_rows
from app.calls.undecodable import keep_rows
from app.kit.clock import Clock
from app.kit.database import Dialect
from app.portals.model import Portal

# On SQLite a transaction keeps every other writer waiting: some 5 ms for so many rows or so much text; a row
# costs a quarter more in one of half as many. On PostgreSQL it costs ten messages, and hinders nobody.
CHUNK_ROWS: Mapping[Dialect, int] = {"sqlite": 50, "postgresql": 100}
CHUNK_CHARACTERS = 100_000
MOST_TRIES = 5
SEARCH_S = 30  # At most 62 requests, of which a portal takes two a second; half of a turn.
OUT_OF_TIME = "operation_time_limit"
NEWEST = Question(Range(1, OPEN), is_descending=True)
OLDEST = Question(Range(1, OPEN))


class BatchReader:
    """Reads for one portal; counts what was read and stored, and says how fast to go on.

    `pages`: the size of the next batch. `rest_s`: how long to let the portal rest before it. `taken_ids`:
    those that were stored as another call's until now.
    """

    def __init__(
        self, access: StatisticsAccess, clock: Clock, portal: Portal, installation: Installation, pages: int
    ) -> None:
        self._access = access
        self._clock = clock
        self._portal = portal
        self.installation = installation
        self.pages = pages
        self.rest_s = 0
        self.began_at: int | None = None  # When the first request began, by the portal's clock.
        self.last_began_at: int | None = None
        self.rows = self.inserted = self.changed = self.undecodable = 0
        self.high_id = 0  # The highest id that was read.
        self.taken_ids: set[int] = set()
        self._most_pages = MOST_PAGES  # Fewer once the answer to so many was too large.

    async def read_batch(self, plan: Plan) -> Progress:
        """One request for the plan's next ranges; returns when its rows are stored.

        Raises what `ask` raises, and StatisticsRefusedError when a range has failed five times.
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
        await self._store([*reply.pages.values(), *reply.partial])
        progress = plan.settle({one: _ids_of(reply, Question(one)) for one in answered})
        failure = reply.find_failure()
        if failure and plan.most_tries >= MOST_TRIES:
            raise StatisticsRefusedError(failure)
        return progress

    def _split(self, plan: Plan, asked: Range, reply: Reply) -> bool:
        """Whether the range is asked again in halves, because its page is too large. A single row that is too
        large is a page by itself, so that no history stands still.
        """
        question = Question(asked)
        if reply.codes.get(question) != TOO_LARGE:
            return False
        if plan.split(asked):
            return True
        reply.pages[question] = page_of_one(self._portal, asked.low)
        return False

    async def read_ranges(self, ranges: Sequence[Range]) -> dict[Range, list[int] | None]:
        """One request for a page of each range: the ids, ascending, once the rows are stored; None where it
        failed. Raises what `ask` raises.
        """
        reply = await self._ask([Question(one) for one in ranges])
        await self._store([*reply.pages.values(), *reply.partial])
        return {one: _ids_of(reply, Question(one)) for one in ranges}

    async def count(self, ranges: Sequence[Range], since: int) -> list[int | None]:
        """How many rows the portal shows in each range; see `count_rows`."""
        return await count_rows(self._access, self._portal, ranges, since)

    async def find_ends(self, user_ids: Sequence[int | None]) -> dict[int | None, tuple[int, int]]:
        """The lowest and highest id of each user that is shown; see `asking.find_ends`."""
        return await find_ends(self._access, self._portal, user_ids)

    async def read_ends(self) -> tuple[list[int], int]:
        """One request for the newest page, which is stored, and the oldest: the newest ids, descending, and
        the lowest id there is.

        Raises as `read_batch` does.
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
        """The rows from some id up of which there are few enough: the newest page is too large."""
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
        """Its page; None where that is too large."""
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
        for chunk in split_into_chunks(records, CHUNK_ROWS[self.installation.database.dialect]):
            await self._write(chunk)

    async def _keep(self, odd: Sequence[tuple[Row, str]]) -> None:
        if odd:
            await keep_rows(self.installation, odd, self._clock.now())

    async def _write(self, records: Sequence[StatisticsRecord]) -> None:
        written = await write_rows(self.installation, records, self._clock.now())
        self.inserted += written.inserted
        self.changed += written.changed
        self.taken_ids |= written.taken_ids


def split_into_chunks(
    records: Iterable[StatisticsRecord], most_rows: int
) -> Iterator[list[StatisticsRecord]]:
    """The records in their order, as many at once as one transaction may write, and at least one."""
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
