import pytest

from app.bitrix24.methods.users import User
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.people.queries import delete_some_people, find_names, upsert_people
from app.people.service import MAX_UNKNOWN
from app.portals import queries
from app.portals.model import Portal
from tests.blocking import begin_apart, wait_until_blocked
from tests.running import Callbook, FakeClock
from tests.web.browsing import install

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@pytest.fixture
def bitrix_portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


async def install_unread(callbook: Callbook, portal: StandInPortal) -> int:
    """Install the portal without a read of its users, which the installation itself would do."""
    portal_id = await install(callbook, portal)
    await callbook.run_sql("DELETE FROM people")
    await callbook.run_sql("UPDATE portals SET people_read_at = 0")
    return portal_id


async def read(portal_id: int) -> Portal:
    portal = await queries.get_portal(portal_id)
    assert portal is not None
    return portal


@pytest.mark.quick
async def test_names_are_read_and_dismissed_users_keep_theirs(
    callbook: Callbook, bitrix_portal: StandInPortal
) -> None:
    portal = await read(await install_unread(callbook, bitrix_portal))
    await callbook.parts.people.refresh(portal)
    names = await callbook.parts.people.find_names(portal, [1, 12, 27, 999, None])
    assert names == {1: "Clara Winter", 12: "Jonas Falk", 27: "Oleg Sorin"}


async def test_a_name_that_changed_is_replaced_and_an_empty_one_is_not(
    callbook: Callbook, bitrix_portal: StandInPortal
) -> None:
    portal_id = await install_unread(callbook, bitrix_portal)
    await callbook.parts.people.refresh(await read(portal_id))
    bitrix_portal.users[12].last_name = "Falk-\u05d0 <b>\U0001f600"
    bitrix_portal.users[14].name = bitrix_portal.users[14].last_name = ""
    await callbook.parts.people.refresh(await read(portal_id))
    names = await find_names(portal_id, [12, 14])
    assert names == {12: "Jonas Falk-\u05d0 <b>\U0001f600", 14: "Amélie Rousselle"}


async def test_when_it_is_time(callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock) -> None:
    portal_id = await install_unread(callbook, bitrix_portal)
    people = callbook.parts.people
    assert people.is_due(await read(portal_id), is_somebody_unknown=False)
    await people.refresh(await read(portal_id))
    assert not people.is_due(await read(portal_id), is_somebody_unknown=True)
    clock.advance(600)
    assert people.is_due(await read(portal_id), is_somebody_unknown=True)
    assert not people.is_due(await read(portal_id), is_somebody_unknown=False)
    clock.advance(DAY_S - 600)
    assert people.is_due(await read(portal_id), is_somebody_unknown=False)


async def test_users_are_not_read_where_that_would_cost_a_refresh_too_many(
    callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock
) -> None:
    portal_id = await install_unread(callbook, bitrix_portal)
    people = callbook.parts.people
    clock.advance(HOUR_S)
    for is_somebody_unknown in (True, False):
        assert not people.is_due(await read(portal_id), is_somebody_unknown=is_somebody_unknown)
    clock.advance(5 * HOUR_S)
    for is_somebody_unknown in (True, False):
        assert people.is_due(await read(portal_id), is_somebody_unknown=is_somebody_unknown)


async def test_ever_new_unknown_users_fill_no_memory(
    callbook: Callbook, bitrix_portal: StandInPortal
) -> None:
    portal = await read(await install_unread(callbook, bitrix_portal))
    for begin in range(1_000, 3_000, 100):
        await callbook.parts.people.find_names(portal, range(begin, begin + 100))
    await callbook.parts.people.refresh(portal)
    unlisted = await callbook.run_sql("SELECT user_id FROM people WHERE user_id >= 1000")
    assert len(unlisted) == MAX_UNKNOWN


async def test_two_at_once_ask_once(callbook: Callbook, bitrix_portal: StandInPortal) -> None:
    portal = await read(await install_unread(callbook, bitrix_portal))
    before = bitrix_portal.counts["user.get"]
    await callbook.parts.people.refresh(portal)
    await callbook.parts.people.refresh(portal)
    assert bitrix_portal.counts["user.get"] == before + 1


async def test_a_portal_that_does_not_answer_is_no_fault(
    callbook: Callbook, bitrix_portal: StandInPortal, stand_in: StandIn
) -> None:
    portal_id = await install_unread(callbook, bitrix_portal)
    stand_in.fail("user.get", code="ACCESS_DENIED", status=403)
    await callbook.parts.people.refresh(await read(portal_id))
    assert await find_names(portal_id, [1]) == {}


async def test_an_uninstall_meanwhile_brings_nobody_back(
    callbook: Callbook, bitrix_portal: StandInPortal, stand_in: StandIn
) -> None:
    portal_id = await install_unread(callbook, bitrix_portal)
    gate = stand_in.hold("user.get")
    portal = await read(portal_id)
    task = callbook.parts.background.spawn("people", callbook.parts.people.refresh(portal))
    await gate.reached(1)
    await callbook.run_sql("UPDATE portals SET state = 'uninstalled', generation = generation + 1")
    gate.release()
    await task
    assert await find_names(portal_id, [1, 12]) == {}


async def test_an_uninstall_and_a_reading_come_one_after_the_other(
    callbook: Callbook, bitrix_portal: StandInPortal
) -> None:
    """The uninstall has erased people, but not committed, when the names are stored."""
    portal = await read(await install_unread(callbook, bitrix_portal))
    database = callbook.parts.database
    users = [User(user_id=1, name="Clara Winter", is_active=True)]
    async with database.transaction():
        await queries.update_locked(portal.id, {"state": "uninstalled", "generation": portal.generation + 1})
        await delete_some_people(portal.id)
        late = begin_apart(upsert_people(portal.id, portal.generation, users, database, 10))
        await wait_until_blocked(database, late, "INSERT INTO people")
    await late
    assert await find_names(portal.id, [1]) == {}


async def test_each_portal_has_its_own_people(callbook: Callbook, stand_in: StandIn) -> None:
    stand_in.portals[1].users[1].name = "Other"
    ids = [await install_unread(callbook, portal) for portal in stand_in.portals]
    for portal_id in ids:
        await callbook.parts.people.refresh(await read(portal_id))
    assert [await find_names(portal_id, [1]) for portal_id in ids] == [
        {1: "Clara Winter"},
        {1: "Other Winter"},
    ]
