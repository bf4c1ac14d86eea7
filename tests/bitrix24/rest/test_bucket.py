"""Our side of a portal's leaky bucket: which requests wait, which are refused, which buckets are
forgotten.
"""

import asyncio
from typing import Any

import pytest

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest.accounts import LocalAccounts
from app.bitrix24.rest.bucket import MAX_AT_ONCE, MAX_WAITING, RateBucket
from tests.patience import wait_until


class Time:
    """A time that stands still until the test moves it; a sleep is noted and takes none."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def make_bucket(self) -> RateBucket:
        return RateBucket(LocalAccounts(lambda: self.now), self.sleep)


async def pass_through(bucket: RateBucket, portal_key: str = "a") -> None:
    async with bucket.admit(portal_key):
        pass


async def test_those_above_the_capacity_wait_in_turn_and_nobody_waits_longer_than_a_minute() -> None:
    time = Time()
    bucket = time.make_bucket()
    for _ in range(47):
        await pass_through(bucket)
    assert time.waits == [0.5, 1.0]
    await pass_through(bucket, "b")
    time.now = 2.0
    await pass_through(bucket)
    assert time.waits == [0.5, 1.0]
    for _ in range(121):
        await pass_through(bucket)
    assert time.waits[-1] == 60.0
    with pytest.raises(BitrixError, match="query_limit_exceeded"):
        await pass_through(bucket)
    time.now += 0.5
    await pass_through(bucket)


async def test_a_refusal_of_the_portal_fills_the_bucket_and_empties_none() -> None:
    time = Time()
    bucket = time.make_bucket()
    await bucket.fill("a")
    await pass_through(bucket)
    assert time.waits == [0.5]
    await bucket.fill("a")
    await pass_through(bucket)
    assert time.waits == [0.5, 1.0]


async def test_a_request_is_counted_when_it_leaves_not_when_it_begins_to_wait() -> None:
    time, held = Time(), asyncio.Event()
    bucket = time.make_bucket()
    places: list[int] = []

    async def hold() -> None:
        async with bucket.admit("a"):
            places.append(1)
            await held.wait()

    waiting = [asyncio.create_task(hold()) for _ in range(60)]
    await wait_until(lambda: len(places) == MAX_AT_ONCE)
    time.now = 3600.0
    held.set()
    await asyncio.gather(*waiting)
    assert time.waits == [(number + 1) / 2 for number in range(60 - MAX_AT_ONCE - 45)]


async def test_more_than_a_minute_s_worth_do_not_queue_for_a_place() -> None:
    bucket, held = Time().make_bucket(), asyncio.Event()

    async def hold() -> None:
        async with bucket.admit("a"):
            await held.wait()

    waiting = [asyncio.create_task(hold()) for _ in range(MAX_AT_ONCE + MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(BitrixError, match="query_limit_exceeded"):
        await pass_through(bucket)
    await pass_through(bucket, "b")
    waiting.pop().cancel()
    await asyncio.sleep(0)
    held.set()
    await asyncio.gather(*waiting)


async def test_accounts_that_are_empty_are_forgotten() -> None:
    now: Any = [0.0]
    accounts = LocalAccounts(lambda: now[0])
    for index in range(1500):
        now[0] += 1
        await accounts.take([str(index)], 500, 1000)
    assert len(accounts._empty_at_ms) <= 1001  # noqa: SLF001  Memory shows nowhere else.
