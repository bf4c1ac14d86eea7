"""The rule of visible calls, in a company of three levels."""

from typing import Any

import msgspec
import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.state import Department
from app.demo.stand_in import StandIn
from app.people.department_queries import _LED
from app.people.visibility import find_visible
from app.portals import queries
from app.portals.settings.portal_settings import PortalSettings
from app.portals.settings.visible_users import EVERYONE, Visible
from tests.running import Callbook
from tests.web.browsing import install

ADMIN, HEAD_OF_SALES, SELLER, HEAD_OF_SUPPORT, HELPER, DISMISSED = 1, 14, 12, 18, 21, 27


@pytest.fixture
async def portal_id(callbook: Callbook, stand_in: StandIn) -> int:
    """Northwind (head 1) over Sales (14: 12, 14) and Support (18: 18, 21, 27); Field (12, 21) under Sales."""
    portal: StandInPortal = stand_in.portals[0]
    portal.state.departments.append(Department(id=7, name="Field", parent_id=3))
    portal.users[SELLER].department_ids = [3, 7]
    portal.users[HELPER].department_ids = [4, 7]
    return await install(callbook, portal)


def only(*user_ids: int) -> Visible:
    return frozenset(user_ids)


async def look(portal_id: int, user_id: int, **settings: Any) -> Visible:
    portal = await queries.get_portal(portal_id)
    assert portal is not None
    changed = msgspec.structs.replace(PortalSettings(), **settings)
    return await find_visible(portal, changed, user_id, is_admin=user_id == ADMIN)


@pytest.mark.quick
async def test_as_usual_administrators_see_all_heads_theirs_and_below_others_their_own(
    portal_id: int,
) -> None:
    assert await look(portal_id, ADMIN) is EVERYONE
    assert await look(portal_id, HEAD_OF_SALES) == only(12, 14, 21)
    assert await look(portal_id, HEAD_OF_SUPPORT) == only(18, 21, 27)
    assert await look(portal_id, SELLER) == only(SELLER)


async def test_a_user_in_several_departments_sees_the_union(portal_id: int) -> None:
    assert await look(portal_id, HELPER, employees_see="department") == only(18, 21, 27, 12)
    assert await look(portal_id, SELLER, employees_see="department") == only(12, 14, 21)


async def test_the_head_of_the_company_sees_down_to_the_last_department(portal_id: int) -> None:
    assert await look(portal_id, ADMIN, admins_see="own") == only(1, 12, 14, 18, 21, 27)
    assert await look(portal_id, ADMIN, admins_see="own", heads_see="own") == only(1)
    assert await look(portal_id, ADMIN, admins_see="department", heads_see="own") == only(
        1, 12, 14, 18, 21, 27
    )


async def test_each_role_is_set_by_itself(portal_id: int) -> None:
    assert await look(portal_id, HEAD_OF_SALES, heads_see="all") is EVERYONE
    assert await look(portal_id, SELLER, heads_see="all") == only(SELLER)
    assert await look(portal_id, HEAD_OF_SALES, heads_see="own") == only(HEAD_OF_SALES)
    assert await look(portal_id, SELLER, employees_see="all") is EVERYONE


async def test_rights_add_up(portal_id: int) -> None:
    assert await look(portal_id, HEAD_OF_SALES, heads_see="own", employees_see="all") is EVERYONE
    assert await look(portal_id, ADMIN, admins_see="own", employees_see="all") is EVERYONE


async def test_where_departments_are_not_known_everybody_sees_their_own(
    callbook: Callbook, stand_in: StandIn
) -> None:
    stand_in.portals[0].installation.scope.remove("department")
    portal_id = await install(callbook, stand_in.portals[0])
    assert await look(portal_id, HEAD_OF_SALES) == only(HEAD_OF_SALES)
    assert await look(portal_id, SELLER, employees_see="department") == only(SELLER)
    assert await look(portal_id, HEAD_OF_SALES, heads_see="all") == only(HEAD_OF_SALES)
    assert await look(portal_id, ADMIN) is EVERYONE


async def test_departments_of_another_portal_count_for_nothing(callbook: Callbook, stand_in: StandIn) -> None:
    first, second = stand_in.portals
    second.installation.scope.remove("department")
    await install(callbook, first)
    portal_id = await install(callbook, second)
    assert await look(portal_id, HEAD_OF_SALES) == only(HEAD_OF_SALES)


async def test_the_departments_below_one_are_found_by_an_index(callbook: Callbook) -> None:
    """Without the index a chain of 5,000 departments is read 5,000 times for each page of its head."""
    database = callbook.parts.database
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    async with database.transaction():
        if not database.is_sqlite:
            # Else the planner reads the whole table, because it is empty.
            await database.run("SET LOCAL enable_seqscan = off")
        plan = await database.run(f"{explain} {_LED.format(1, 7, 1)}")
    assert "departments_parent" in str(plan)
