"""Callbook with answer and commit in the wrong order: it answers at once, and the commit is held for ever.

A test that wants to see itself fail starts it as ``python -m tests.swapped serve``.
"""

import asyncio
import sys
from collections.abc import Sequence

from app.__main__ import main
from app.bitrix24.incoming.call_end import CallRecord
from app.calls.intake.arrivals import Arrival
from app.calls.intake.fast_insert import PostgresInserter, SqliteInserter
from app.calls.intake.group_commit import Ingest
from app.calls.store.known_calls import Key

store_in_order = Ingest.store
unfinished: set[asyncio.Task[bool]] = set()


async def store_later(
    self: Ingest, portal_id: int, token_hash: str, record: CallRecord, fallback_started_at: int | None = None
) -> bool:
    unfinished.add(
        asyncio.create_task(store_in_order(self, portal_id, token_hash, record, fallback_started_at))
    )
    return True


async def hold(self: object, arrivals: Sequence[Arrival]) -> set[Key]:
    await asyncio.Event().wait()
    return set()


if __name__ == "__main__":
    Ingest.store = store_later  # type: ignore[method-assign]
    SqliteInserter.insert = hold  # type: ignore[method-assign]
    PostgresInserter.insert = hold  # type: ignore[method-assign]
    sys.exit(main())
