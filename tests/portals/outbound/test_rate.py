"""The accounts of the portals' buckets, which all processes share, on both databases."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app.demo.stand_in import StandIn
from app.kit.storage.database import Database
from app.portals.outbound.rate import SharedAccounts
from app.portals.outbound.rate_queries import purge_buckets
from app.scheduler import purge
from tests.portals.portal_rows import count
from tests.running import Callbook, FakeClock

COST, MOST = 500, 82_500
LEVEL = "SELECT backlog_ms FROM rate_buckets WHERE member_id = 'a'"


@pytest.fixture
def two(callbook: Callbook, clock: FakeClock) -> tuple[SharedAccounts, SharedAccounts]:
    """The accounts of two processes."""
    database = callbook.parts.database
    return SharedAccounts(database, clock), SharedAccounts(database, clock)


Two = tuple[SharedAccounts, SharedAccounts]


@pytest.mark.quick
async def test_what_one_sends_the_other_counts(two: Two, clock: FakeClock) -> None:
    first, second = two
    assert await first.take(["a"], COST, MOST) == 500
    assert await second.take(["a"], COST, MOST) == 1000
    assert await second.take(["b"], COST, MOST) == 500
    clock.advance(1)
    assert await first.take(["a"], COST, MOST) == 500
    clock.advance(3600)
    assert await second.take(["a"], COST, MOST) == 500


async def test_many_at_once_are_all_counted(two: Two) -> None:
    taken = await asyncio.gather(*(two[index % 2].take(["a"], COST, MOST) for index in range(60)))
    assert sorted(level for level in taken if level is not None) == [500 * n for n in range(1, 61)]


async def test_two_portals_that_claim_one_host_share_its_bucket(two: Two) -> None:
    assert await two[0].take(["a", "host:h"], COST, 1500) == 500
    assert await two[1].take(["b", "host:h"], COST, 1500) == 1000
    assert await two[0].take(["c", "host:h"], COST, 1500) == 1500
    assert await two[1].take(["d", "host:h"], COST, 1500) is None
    assert await two[1].take(["d", "host:other"], COST, 1500) == 1000
    await two[0].fill(["d", "host:k"], 1400)
    assert await two[1].take(["e", "host:k"], COST, 1500) is None


async def test_one_portal_with_many_hosts_has_one_bucket(two: Two) -> None:
    taken = [await two[index % 2].take(["a", f"host:{index}"], COST, 1500) for index in range(4)]
    assert taken == [500, 1000, 1500, None]


async def test_what_would_exceed_the_most_is_not_counted(two: Two) -> None:
    assert [await two[0].take(["a"], COST, 1000) for _ in range(3)] == [500, 1000, None]
    assert await two[1].take(["a"], COST, 1500) == 1500


async def test_a_refusal_tells_all(two: Two, clock: FakeClock) -> None:
    first, second = two
    await first.fill(["a"], 22_500)
    assert await second.take(["a"], COST, MOST) == 23_000
    await first.fill(["a"], 22_500)  # It drains no bucket.
    assert await second.take(["a"], COST, MOST) == 23_500
    clock.advance(10)
    await second.fill(["a"], 22_500)
    assert await first.take(["a"], COST, MOST) == 23_000


@pytest.mark.parametrize("step_s", [-600, 600])
async def test_a_clock_that_is_set_blocks_nobody(two: Two, clock: FakeClock, step_s: int) -> None:
    for _ in range(45):
        await two[0].take(["a"], COST, MOST)
    clock.advance(step_s)
    level = await two[1].take(["a"], COST, MOST)
    assert level == (23_000 if step_s < 0 else 500)
    clock.advance(10)
    assert await two[0].take(["a"], COST, MOST) == max(0, level - 10_000) + 500


async def test_a_statement_that_waited_for_its_turn_empties_nothing(two: Two, clock: FakeClock) -> None:
    clock.advance(2)
    await two[0].fill(["a"], 10_000)
    clock.advance(-2)
    assert await two[1].take(["a"], COST, MOST) == 10_500
    clock.advance(2)
    assert await two[0].take(["a"], COST, MOST) == 11_000


async def test_the_database_s_own_clock_moves_it(callbook: Callbook) -> None:
    """The test moves no clock; it knows only that time passes."""
    accounts = SharedAccounts(callbook.parts.database)
    await accounts.fill(["a"], 10_000)
    await callbook.run_sql("UPDATE rate_buckets SET at_ms = at_ms - 9000")
    level = await accounts.take(["a"], COST, MOST)
    assert level is not None
    assert 500 <= level <= 1500


async def test_while_the_database_is_away_each_goes_by_its_own(database_url: str) -> None:
    database = Database(database_url)
    accounts = SharedAccounts(database)
    with capture_logs() as logs:
        assert await accounts.take(["a"], COST, MOST) == 500
        await accounts.fill(["a"], 22_500)
        level = await accounts.take(["a"], COST, MOST)
    assert level is not None
    assert 22_000 <= level <= 23_000
    assert {line["event"] for line in logs} == {"rate bucket not shared"}


async def test_empty_accounts_are_purged_and_full_ones_stay(callbook: Callbook) -> None:
    accounts = SharedAccounts(callbook.parts.database)
    for portal_key in ("a", "b"):
        await accounts.take([portal_key], COST, MOST)
    await callbook.run_sql("UPDATE rate_buckets SET at_ms = at_ms - 600001 WHERE member_id = 'b'")
    await purge_buckets(callbook.parts.database)
    assert await count(callbook, "rate_buckets") == 1
    await callbook.run_sql("UPDATE rate_buckets SET at_ms = 0")
    await purge(callbook.parts)
    assert await count(callbook, "rate_buckets") == 0


@pytest.mark.parametrize("is_clean", [True, False])
async def test_an_account_ends_with_its_installation(
    callbook: Callbook, stand_in: StandIn, *, is_clean: bool
) -> None:
    for portal in stand_in.portals:
        portal.add_app()
        await portal.install(callbook.url)
    await callbook.settle()
    assert await count(callbook, "rate_buckets") == 4  # For each portal its own and that of its host.
    await stand_in.portals[0].uninstall(clean=is_clean)
    await callbook.settle()
    left = {row["member_id"] for row in await callbook.run_sql("SELECT member_id FROM rate_buckets")}
    assert left == {stand_in.portals[1].member_id, f"host:{stand_in.portals[1].domain}"}
