"""A portal's structure is written in small steps, and no viewer sees too much in between."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from structlog.testing import capture_logs

from app.bitrix24.methods.departments import Department
from app.bitrix24.methods.users import MOST_DEPARTMENTS_OF_USER
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core import state
from app.demo.stand_in import StandIn
from app.kit.storage.row_arrays import encode_rows
from app.people import structure_queries
from app.people.department_queries import find_structure, is_head, select_colleagues, select_led
from app.people.structure import take
from app.people.structure_queries import store_structure
from app.portals import queries
from app.portals.settings.quotas import USUAL, Quotas
from tests.running import Callbook, FakeClock
from tests.web.browsing import install

USERS = range(1, 13)
Visible = dict[int, frozenset[int]]


@pytest.fixture
def bitrix_portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


def invent(seed: int) -> tuple[list[Department], dict[int, frozenset[int]]]:
    """A company, different for each seed."""
    chance = random.Random(seed)
    ids = chance.sample(range(1, 12), 8)
    departments = [
        Department(one, f"D{one}{chance.random()}", chance.choice([None, *ids]), chance.choice(USERS))
        for one in ids
    ]
    return departments, {user_id: frozenset(chance.sample(ids, 2)) for user_id in USERS}


async def see(portal_id: int) -> Visible:
    """The users that each user sees as a head and as a colleague; 0 for heads that may see all."""
    heads = {user_id: {0} if await is_head(portal_id, user_id) else set() for user_id in USERS}
    return {
        user_id: await select_led(portal_id, user_id)
        | await select_colleagues(portal_id, user_id)
        | heads[user_id]
        for user_id in USERS
    }


def watch(
    callbook: Callbook, monkeypatch: pytest.MonkeyPatch, look: Callable[[], Awaitable[None]]
) -> list[int]:
    """Look after each transaction; return the number of rows that each wrote."""
    database, sizes = callbook.parts.database, list[int]()
    encode = encode_rows

    def count(rows: object) -> str:
        kept = list(rows)  # type: ignore[call-overload]
        sizes.append(len(kept))
        return encode(kept)

    def follow(
        original: Callable[[], AbstractAsyncContextManager[None]],
    ) -> Callable[[], AbstractAsyncContextManager[None]]:
        @asynccontextmanager
        async def transaction() -> AsyncIterator[None]:
            async with original():
                yield
            await look()

        return transaction

    monkeypatch.setattr(structure_queries, "encode_rows", count)
    for name in ("transaction", "patient_transaction"):
        monkeypatch.setattr(database, name, follow(getattr(database, name)))
    return sizes


async def test_no_viewer_sees_in_between_a_user_that_neither_structure_shows(
    callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    generation = (await queries.list_portals())[0].generation
    monkeypatch.setattr(structure_queries, "ROWS_A_STEP", 2)
    looks: list[Visible] = []

    async def look() -> None:
        looks.append(await see(portal_id))

    sizes = watch(callbook, monkeypatch, look)
    for seed in range(6):
        before = await see(portal_id)
        looks.clear()
        told = take(*invent(seed), USUAL)
        assert await store_structure(portal_id, generation, told, clock.now(), callbook.parts.database)
        after = await see(portal_id)
        for seen in looks:
            was_so, is_so = (all(seen[one] <= other[one] for one in USERS) for other in (before, after))
            assert was_so or is_so
        assert len(looks) > 10
        assert looks[-1] == after
    assert max(sizes) <= 2


async def test_fifty_users_in_every_department_are_a_bounded_number_of_rows_in_small_transactions(
    callbook: Callbook,
    bitrix_portal: StandInPortal,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    small = Quotas(departments=1_000, memberships=550)
    monkeypatch.setattr(callbook.parts.people, "_quotas", small)
    bitrix_portal.state.departments = [
        state.Department(id=number, name=f"D{number}") for number in range(1, 1_101)
    ]
    for user in bitrix_portal.users.values():
        user.department_ids = list(range(1, 1_101))

    async def look() -> None: ...

    sizes = watch(callbook, monkeypatch, look)
    clock.advance(600)
    portal = await queries.get_portal(portal_id)
    assert portal is not None
    with capture_logs() as logs:
        await callbook.parts.people.refresh(portal)
    assert max(sizes) <= structure_queries.ROWS_A_STEP
    assert (await find_structure(portal_id)).department_count == 1_000
    pairs = await callbook.run_sql("SELECT user_id, COUNT(*) AS n FROM department_members GROUP BY user_id")
    assert 500 < sum(row["n"] for row in pairs) <= small.memberships
    assert max(row["n"] for row in pairs) == MOST_DEPARTMENTS_OF_USER
    limited = [entry["what"] for entry in logs if entry["event"] == "more than is taken of a portal"]
    assert limited == ["departments"]


async def test_a_reading_that_was_cut_off_is_made_up_for_soon(
    callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    clock.advance(600)

    async def end() -> None:
        if sizes:
            raise RuntimeError("the process was killed")

    with monkeypatch.context() as patched:
        bitrix_portal.users[21].department_ids = [3]
        sizes = watch(callbook, patched, end)
        portal = await queries.get_portal(portal_id)
        assert portal is not None
        with pytest.raises(RuntimeError):
            await callbook.parts.people.refresh(portal)
    clock.advance(599)
    portal = await queries.get_portal(portal_id)
    assert portal is not None
    assert not callbook.parts.people.is_due(portal, is_somebody_unknown=False)
    clock.advance(1)
    assert callbook.parts.people.is_due(portal, is_somebody_unknown=False)


async def test_a_reading_of_an_earlier_installation_writes_nothing(
    callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    generation = (await queries.list_portals())[0].generation
    before = await see(portal_id)
    told = take(*invent(1), USUAL)
    assert not await store_structure(portal_id, generation - 1, told, clock.now(), callbook.parts.database)
    assert await see(portal_id) == before
