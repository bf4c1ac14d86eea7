"""Quotas of a portal's people, of their choices and views, and of the log of requests."""

import pytest
from structlog.testing import capture_logs

from app.bitrix24.methods.users import User
from app.bitrix24.rest.exchange import Exchange
from app.calls.log.logged_calls import Viewer
from app.calls.log.views import Draft, save_view
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.people import preference_queries, queries
from app.people.preference_queries import find_preferences, write_preferences
from app.people.preferences import Preferences
from app.people.queries import find_people, upsert_people
from app.portals.outbound.exchange_queries import count_exchanges, record_exchange, trim_exchanges
from app.portals.queries import find_portal
from app.portals.settings.quotas import QuotaReached, Quotas
from app.portals.settings.visible_users import EVERYONE
from tests.running import Callbook, FakeClock
from tests.web.browsing import install

SMALL = Quotas(people=60, preferences=2, views=2)


@pytest.fixture
async def portal_id(callbook: Callbook, stand_in: StandIn) -> int:
    return await install(callbook, stand_in.portals[0])


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


async def test_invented_people_beyond_the_quota_are_left_out_and_known_ones_still_change(
    callbook: Callbook, portal_id: int
) -> None:
    database, most = callbook.parts.database, SMALL.people
    for day in range(3):
        users = [User(number, f"day {day}", True) for number in range(1_000 + 50 * day, 1_100 + 50 * day)]
        assert not await upsert_people(portal_id, 1, users, database, most)
        assert await queries.count_people(portal_id) == SMALL.people
    assert await upsert_people(portal_id, 1, [User(1_000, "changed", True)], database, most)
    assert (await find_people(portal_id, [1_000]))[1_000].name == "changed"


async def test_a_portal_s_list_of_users_is_read_as_far_as_it_is_kept(
    callbook: Callbook,
    portal: StandInPortal,
    portal_id: int,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = Quotas(people=2, memberships=3)
    monkeypatch.setattr(callbook.parts.people, "_quotas", few)
    for user in portal.users.values():
        user.department_ids = [one.id for one in portal.state.departments]
    assert len(portal.users) > few.people
    clock.advance(600)
    stored = await find_portal(portal.member_id)
    assert stored is not None
    with capture_logs() as logs:
        await callbook.parts.people.refresh(stored)
    assert [entry["count"] for entry in logs if entry["event"] == "users read"] == [few.people]
    limited = [entry["what"] for entry in logs if entry["event"] == "more than is taken of a portal"]
    assert limited == ["users", "departments"]


async def test_choices_of_invented_users_are_refused_and_those_of_known_ones_change(
    callbook: Callbook, portal_id: int
) -> None:
    for chosen in (Preferences(theme="dark"), Preferences(theme="light")):
        for user_id in (1, 2):
            await write_preferences(portal_id, 1, user_id, chosen, callbook.parts.database, SMALL)
        with pytest.raises(QuotaReached):
            await write_preferences(portal_id, 1, 3, chosen, callbook.parts.database, SMALL)
    found = [(await find_preferences(portal_id, user_id)).theme for user_id in range(1, 4)]
    assert found == ["light", "light", None]
    assert await preference_queries.count_preferences(portal_id) == SMALL.preferences


async def test_views_of_invented_users_end_at_the_quota(callbook: Callbook, portal_id: int) -> None:
    draft = Draft("mine", False, {}, ("time",))
    for user_id in (1, 2):
        await save_view(Viewer(portal_id, user_id, EVERYONE), 1, draft, callbook.parts.database, SMALL)
    with pytest.raises(QuotaReached):
        await save_view(Viewer(portal_id, 3, EVERYONE), 1, draft, callbook.parts.database, SMALL)


async def test_the_oldest_requests_of_a_busy_portal_go_and_no_others(
    callbook: Callbook, portal_id: int, portal: StandInPortal, stand_in: StandIn
) -> None:
    other_id = await install(callbook, stand_in.portals[1])
    before = await count_exchanges(other_id)
    assert before < 50
    for number in range(60):
        for member_id in (portal.member_id, None):
            await record_exchange(
                Exchange(
                    at=number,
                    kind="rest",
                    member_id=member_id,
                    host="",
                    method=f"{number}",
                    parameters="{}",
                    status=200,
                    error_code=None,
                    duration_ms=5,
                    result_summary="",
                )
            )
    await trim_exchanges(50)
    assert await count_exchanges(portal_id) == 50
    assert await count_exchanges(other_id) == before
    rows = await callbook.run_sql("SELECT method FROM rest_exchanges WHERE member_id IS NULL ORDER BY id")
    assert [row["method"] for row in rows][-1] == "59"
    assert len(rows) == 50
