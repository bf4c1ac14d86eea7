"""Batches that a test holds back, and many requests at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from app.calls.intake.arrivals import Arrival
from app.calls.intake.group_commit import Ingest
from app.calls.store.known_calls import Key
from tests.calls.stored_calls import TOKEN_HASH, make_record


class HeldInserter:
    """Holds every batch until the test lets it go, and counts the batches."""

    def __init__(self, inserter: Any) -> None:
        self.inserter = inserter
        self.batches: list[int] = []
        self.has_begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.errors: list[Exception] = []

    async def insert(self, arrivals: Sequence[Arrival]) -> set[Key]:
        self.batches.append(len(arrivals))
        self.has_begun.set()
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        missed: set[Key] = await self.inserter.insert(arrivals)
        return missed

    async def execute(self, sql: str, *values: object) -> None:
        await self.inserter.execute(sql, *values)

    async def close(self) -> None:
        await self.inserter.close()


def store_many(ingest: Ingest, portal_id: int, call_ids: Sequence[str]) -> list[asyncio.Task[bool]]:
    return [
        asyncio.create_task(ingest.store(portal_id, TOKEN_HASH, make_record(call_id))) for call_id in call_ids
    ]
