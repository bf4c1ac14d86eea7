"""Rows that reads lack: which of them were deleted, and which the portal hides from the owner of our token.

A row is deleted if one request shows rows of its user with lower and with higher ids, but not the row itself.
An earlier request decides nothing, because rights may have changed in between.
"""

from collections.abc import Iterator, Mapping, Sequence

from app.bitrix24.errors import TooLarge
from app.calls.statistics.audit_queries import list_lacked
from app.calls.statistics.fetch.batch_reader import BatchReader
from app.calls.statistics.fetch.merge import note_gone
from app.calls.statistics.fetch.turn_share import Share
from app.calls.statistics.progress.plan import PAGE_ROWS, Range
from app.calls.statistics.progress.read_schedule import DAY_S

USERS_A_REQUEST = 25  # Two pages for each, and a batch has fifty.
# These find the lowest and the highest row of a hundred users. If there are more users, each day has another
# hundred.
MOST_REQUESTS = 4
# Pages of lacked rows in one request, which also asks for the lowest and the highest row of ten users.
MOST_PAGES = 30
MOST_USERS = 10
Row = tuple[int, int | None]  # The id of the statistics, and the user.


async def judge_lacked(reader: BatchReader, share: Share, now: int) -> None:
    """Ask once more for the rows that reads lack; note those that are deleted, and store those that are
    shown.

    A row whose page fails, or is too large, stays lacked. Raises the reader's errors.
    """
    lacked = await list_lacked(reader.destination.portal_id)
    users = choose_users({*lacked.values()}, now)
    for begin in range(0, len(users), USERS_A_REQUEST):
        ends = await _find_ends(reader, users[begin : begin + USERS_A_REQUEST])
        for rows in pack(_list_inside(lacked, ends)):
            if share.is_over(reader.rows):
                return
            await _judge(reader, rows, now)


def choose_users(users: set[int | None], now: int) -> list[int | None]:
    """At most a hundred of these users. Each day begins after the last user of the day before."""
    ordered = sorted(users, key=lambda user: user or 0)
    most = MOST_REQUESTS * USERS_A_REQUEST
    begin = now // DAY_S * most % len(ordered) if ordered else 0
    return [*ordered[begin:], *ordered[:begin]][:most]


def pack(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows, ascending, in lists that one request can ask for together with the ends of their users."""
    some: list[Row] = []
    for row in rows:
        longer = [*some, row]
        if len(list_windows(longer)) > MOST_PAGES or len({user for _, user in longer}) > MOST_USERS:
            yield some
            longer = [row]
        some = longer
    if some:
        yield some


def list_windows(rows: Sequence[Row]) -> list[Range]:
    """Ranges of at most 50 ids (a page) that hold all of these rows."""
    windows: list[Range] = []
    for one, _ in rows:
        if not windows or one - windows[-1].low >= PAGE_ROWS:
            windows.append(Range(one, one))
        windows[-1] = Range(windows[-1].low, one)
    return windows


async def _find_ends(reader: BatchReader, users: Sequence[int | None]) -> dict[int | None, tuple[int, int]]:
    """The lowest and the highest shown id of each user who has any: only these users' rows are worth a
    question.
    """
    try:
        return (await reader.look([], users)).ends
    except TooLarge:
        middle = len(users) // 2
        if not middle:
            return {}
        return await _find_ends(reader, users[:middle]) | await _find_ends(reader, users[middle:])


def _list_inside(lacked: Mapping[int, int | None], ends: Mapping[int | None, tuple[int, int]]) -> list[Row]:
    return sorted(
        (one, user) for one, user in lacked.items() if user in ends and ends[user][0] < one < ends[user][1]
    )


async def _judge(reader: BatchReader, rows: Sequence[Row], now: int) -> None:
    windows = list_windows(rows)
    try:
        look = await reader.look(windows, sorted({user for _, user in rows}, key=lambda user: user or 0))
    except TooLarge:
        if len(rows) > 1:
            middle = len(rows) // 2
            await _judge(reader, rows[:middle], now)
            await _judge(reader, rows[middle:], now)
        return
    asked = {window: ids for window, ids in look.ids.items() if ids is not None}
    gone = [
        one
        for one, user in _list_inside(dict(rows), look.ends)
        if any(window.low <= one <= window.high and one not in ids for window, ids in asked.items())
    ]
    await note_gone(reader.destination, gone, now)
