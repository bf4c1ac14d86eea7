"""Departments as the portal tells them, and system users, which it does not tell."""

from datetime import UTC

import pytest

from app.bitrix24.methods.users import User
from app.calls.log.logged_calls import Viewer, list_calls
from app.calls.log.selection.filters import parse_list_request
from app.calls.tables import CallTable
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.state import Department
from app.demo.stand_in import StandIn
from app.people.department_queries import find_structure, list_departments
from app.people.erasure import erase_some_people
from app.people.queries import find_people, upsert_people
from app.portals import queries
from app.portals.model import Portal
from app.portals.settings.visible_users import EVERYONE
from tests.running import Callbook, FakeClock
from tests.web.browsing import install
from tests.web.logged_calls import insert_calls


@pytest.fixture
def bitrix_portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


async def read(portal_id: int) -> Portal:
    portal = await queries.get_portal(portal_id)
    assert portal is not None
    return portal


async def list_staff(portal_id: int, department_id: int) -> set[int | None]:
    """The users with calls in the log when it is filtered by the department."""
    everybody = range(1, 30)
    if not await CallTable.exists():
        await insert_calls(
            portal_id, *({"call_id": f"of-{number}", "user_id": number} for number in everybody)
        )
    request = parse_list_request({"department": str(department_id)}, UTC)
    return {call.user_id for call in (await list_calls(Viewer(portal_id, 1, EVERYONE), request)).calls}


async def read_again(callbook: Callbook, portal_id: int, clock: FakeClock) -> None:
    clock.advance(600)
    await callbook.parts.people.refresh(await read(portal_id))


async def test_departments_are_read_with_the_users(callbook: Callbook, bitrix_portal: StandInPortal) -> None:
    portal_id = await install(callbook, bitrix_portal)
    assert (await find_structure(portal_id)).state == "read"
    names = [
        (one.department_id, one.name, one.parent_id, one.head_id) for one in await list_departments(portal_id)
    ]
    assert names == [(1, "Northwind", None, 1), (3, "Sales", 1, 14), (4, "Support", 1, 18)]
    assert await list_staff(portal_id, 4) == {18, 21, 27}  # Dismissed users too, because their calls stay.
    assert await list_staff(portal_id, 1) == {1, 12, 14, 18, 21, 27}


async def test_what_changed_in_the_structure_changes_here(
    callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    bitrix_portal.users[21].department_ids = [3, 5]
    bitrix_portal.state.departments = [
        *bitrix_portal.state.departments[:2],
        Department(id=5, name="Field <b>\u05d0\U0001f600", parent_id=3),
    ]
    await read_again(callbook, portal_id, clock)
    assert [one.name for one in await list_departments(portal_id)] == [
        "Field <b>\u05d0\U0001f600",
        "Northwind",
        "Sales",
    ]
    assert await list_staff(portal_id, 3) == {12, 14, 21}
    assert await list_staff(portal_id, 5) == {21}
    assert await list_staff(portal_id, 4) == set()


async def test_more_departments_than_a_page_holds(callbook: Callbook, bitrix_portal: StandInPortal) -> None:
    bitrix_portal.state.departments += [
        Department(id=number, name=f"D{number}", parent_id=1) for number in range(10, 190)
    ]
    portal_id = await install(callbook, bitrix_portal)
    assert len(await list_departments(portal_id)) == 183


async def test_without_the_scope_names_are_known_and_departments_are_not(
    callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock
) -> None:
    bitrix_portal.installation.scope.remove("department")
    portal_id = await install(callbook, bitrix_portal)
    assert (await find_structure(portal_id)).state == "not_granted"
    assert await callbook.parts.people.find_names(await read(portal_id), [12]) == {12: "Jonas Falk"}
    bitrix_portal.installation.scope.append("department")
    await read_again(callbook, portal_id, clock)
    assert (await find_structure(portal_id)).state == "read"
    bitrix_portal.installation.scope.remove("department")
    await read_again(callbook, portal_id, clock)
    assert (await find_structure(portal_id)).state == "not_granted"
    assert await list_departments(portal_id) == []
    assert (await read(portal_id)).token_state == "ok"


async def test_a_portal_that_does_not_tell_just_now_keeps_what_is_known(
    callbook: Callbook, bitrix_portal: StandInPortal, stand_in: StandIn, clock: FakeClock
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    stand_in.fail("department.get", code="INTERNAL_SERVER_ERROR", status=500)
    await read_again(callbook, portal_id, clock)
    assert await list_staff(portal_id, 4) == {18, 21, 27}


async def test_circles_and_lost_parents_end(callbook: Callbook, bitrix_portal: StandInPortal) -> None:
    bitrix_portal.state.departments = [
        Department(id=3, name="A", parent_id=4),
        Department(id=4, name="B", parent_id=3, head_id=99),
    ]
    portal_id = await install(callbook, bitrix_portal)
    assert await list_staff(portal_id, 3) == await list_staff(portal_id, 4) == {12, 14, 18, 21, 27}


async def test_a_user_that_calls_name_and_the_portal_never_lists_is_a_system_user(
    callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    people = callbook.parts.people
    assert await people.find_names(await read(portal_id), [2, 12]) == {12: "Jonas Falk"}
    await read_again(callbook, portal_id, clock)
    names = await people.find_names(await read(portal_id), [2, 12], lambda user_id: f"System user {user_id}")
    assert names == {2: "System user 2", 12: "Jonas Falk"}


async def test_a_user_who_is_listed_after_all_is_a_person(
    callbook: Callbook, bitrix_portal: StandInPortal, clock: FakeClock
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    await callbook.parts.people.find_names(await read(portal_id), [2])
    await read_again(callbook, portal_id, clock)
    assert not (await find_people(portal_id, [2]))[2].is_listed
    bitrix_portal.users[2].is_system = False
    await read_again(callbook, portal_id, clock)
    person = (await find_people(portal_id, [2]))[2]
    assert (person.name, person.is_listed) == ("Queue Robot", True)


async def test_an_uninstall_takes_the_departments_along(
    callbook: Callbook, bitrix_portal: StandInPortal
) -> None:
    portal_id = await install(callbook, bitrix_portal)
    while await erase_some_people(portal_id):
        pass
    assert (await find_structure(portal_id)).state == "unread"
    assert await list_staff(portal_id, 1) == set()


async def test_a_uninstalled_portal_gets_none_back(callbook: Callbook, bitrix_portal: StandInPortal) -> None:
    portal_id = await install(callbook, bitrix_portal)
    portal = await read(portal_id)
    await bitrix_portal.uninstall(clean=False)
    await callbook.settle()
    users = [User(1, "Clara Winter", is_active=True)]
    await upsert_people(portal_id, portal.generation, users, callbook.parts.database, 10)
    for table in ("people", "departments", "department_members", "structures"):
        assert await callbook.run_sql(f"SELECT * FROM {table}") == []
