"""Callers that ask during a read share the next one: no answer is older than its question."""

import asyncio

import pytest

from app.kit.fairness.shared_reads import MAX_KEYS, SharedReads


class Store:
    """Values that change, read as slowly as the test wants."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.reads: list[set[str]] = []
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, keys: set[str]) -> dict[str, str]:
        self.reads.append(keys)
        found = {key: self.values[key] for key in keys if key in self.values}
        self.begun.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return found


async def test_any_number_of_questions_share_the_next_read_and_see_what_changed_before_they_asked() -> None:
    store = Store()
    reads = SharedReads(store.read)
    first = asyncio.create_task(reads.find("a"))
    await store.begun.wait()
    store.values["a"] = "new"
    later = [asyncio.create_task(reads.find("a")) for _ in range(MAX_KEYS)]
    await asyncio.sleep(0)
    store.gate.set()
    assert await first is None
    assert await asyncio.gather(*later) == ["new"] * MAX_KEYS
    assert store.reads == [{"a"}, {"a"}]


async def test_no_read_grows_with_the_number_of_its_callers() -> None:
    store = Store()
    store.gate.set()
    reads = SharedReads(store.read)
    asked = [reads.find(str(key)) for key in range(MAX_KEYS + 1)]
    assert set(await asyncio.gather(*asked)) == {None}
    assert [len(keys) for keys in store.reads] == [MAX_KEYS, 1]


async def test_one_that_goes_away_or_fails_hinders_no_other() -> None:
    store = Store()
    reads = SharedReads(store.read)
    gone, patient = [asyncio.create_task(reads.find("a")) for _ in range(2)]
    await store.begun.wait()
    gone.cancel()
    store.error = ConnectionError("away")
    store.gate.set()
    with pytest.raises(ConnectionError):
        await patient
    store.error = None
    store.values["a"] = "here"
    assert await reads.find("a") == "here"
