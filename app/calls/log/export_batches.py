"""All calls of a filtered list, in its order, batch by batch, for an export.

Each batch is a short statement of its own, which begins after the last row of the one before. So a slow
download holds no connection and no snapshot, and neither VACUUM nor the emptying of SQLite's log waits for it
(decision 0021). A call that arrives or moves meanwhile may be in the export or not. Every other call is in it
once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from app.calls.log.column_queries import EXPORTED
from app.calls.log.logged_calls import LoggedCall, Viewer, list_calls
from app.calls.log.selection.cursors import parse_cursor
from app.calls.log.selection.filters import ListRequest

BATCH_ROWS = 500  # With comments of the greatest length, some 10 MB.
# Returns the viewer with the present rights; raises a Refusal if there are none.
Admit = Callable[[], Awaitable[Viewer]]


async def read_all(admit: Admit, request: ListRequest) -> AsyncIterator[list[LoggedCall]]:
    """The calls that the viewer may see; page and limit of the request do not count.

    Each batch holds only calls that the viewer may see at the moment when it is read. Raises the errors of
    `admit` and of the database.
    """
    batch = msgspec.structs.replace(request, limit=BATCH_ROWS, cursor=None)
    while True:
        page = await list_calls(await admit(), batch, EXPORTED)
        yield page.calls
        if page.next_cursor is None:
            return
        cursor = parse_cursor(page.next_cursor, batch.sort)
        batch = msgspec.structs.replace(batch, cursor=cursor)
