"""All calls of a filtered list, in its order, batch by batch: what an export is made of.

Keyset batches, each its own short statement, hold no connection and no snapshot while a slow reader takes
what was read, so that neither VACUUM nor the emptying of SQLite's log waits for a download (decision 0021).
A call that arrives or moves meanwhile may be in or out; no other is left out or given twice.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from app.calls.log.column_queries import EXPORTED
from app.calls.log.logged_calls import LoggedCall, Viewer, list_calls
from app.calls.log.selection.cursors import parse_cursor
from app.calls.log.selection.filters import ListRequest

BATCH_ROWS = 500  # Of comments as long as they may be, some 10 MB.
Admit = Callable[[], Awaitable[Viewer]]  # Who looks, as of now; raises a Refusal once nobody may any more.


async def read_all(admit: Admit, request: ListRequest) -> AsyncIterator[list[LoggedCall]]:
    """The calls that the viewer may see; page and limit of the request mean nothing here.

    Each batch is cut to what may be seen when it is read. Raises what `admit` and the database raise.
    """
    batch = msgspec.structs.replace(request, limit=BATCH_ROWS, cursor=None)
    while True:
        page = await list_calls(await admit(), batch, EXPORTED)
        yield page.calls
        if page.next_cursor is None:
            return
        cursor = parse_cursor(page.next_cursor, batch.sort)
        batch = msgspec.structs.replace(batch, cursor=cursor)
