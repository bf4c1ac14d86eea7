"""A portal at its quota, over HTTP: the answers to its events, its people and the vendor; other portals go
on.
"""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from app.commands.portals import describe_whole
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.staff import OPERATOR_ID
from app.demo.stand_in import StandIn
from app.kit.metrics import LIMITED
from app.portals import queries
from app.portals.settings.quotas import Quotas
from app.scheduler import reconcile, recount, run_job
from tests.conftest import GENEROUS, HurriedClock
from tests.running import Callbook, FakeClock, run_callbook
from tests.web.browsing import Tab, install, open_tab

TOKEN = "metrics-token-of-the-test"
FULL = 6  # Rows: three calls and their legs.
QUOTAS = Quotas(rows=FULL, departments=1, preferences=1)


@pytest.fixture
async def small(database_url: str, stand_in: StandIn, clock: FakeClock) -> AsyncIterator[Callbook]:
    async with run_callbook(
        database_url,
        stand_in,
        clock,
        GENEROUS,
        quotas=QUOTAS,
        rate_clock=HurriedClock(),
        metrics_token=TOKEN,
    ) as running:
        yield running


async def read_again(callbook: Callbook, clock: FakeClock) -> None:
    """Let some minutes pass, with a turn of the scheduler."""
    clock.advance(120)
    await callbook.parts.evidence.flush()
    await run_job(callbook.parts, "one", reconcile)
    await callbook.settle()
    await callbook.parts.room.write()


async def fill(callbook: Callbook, portal: StandInPortal, clock: FakeClock) -> None:
    """Fill the portal with confirmed calls, up to the quota."""
    await install(callbook, portal)
    for _ in range(FULL // 2):
        assert (await portal.end_call()).response.status_code == 200
    await read_again(callbook, clock)


@pytest.mark.quick
async def test_an_event_is_refused_while_others_are_stored_and_filled_in_later(
    small: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal, other = stand_in.portals
    await install(small, other)
    await fill(small, portal, clock)
    refused = await portal.end_call()
    assert (refused.response.status_code, refused.response.json()) == (
        503,
        {"status": "error", "error": "quota_reached"},
    )
    assert int(refused.response.headers["retry-after"]) > 0
    assert (await other.end_call()).response.status_code == 200
    tab = await open_tab(small, portal)
    before = (await tab.get("/api/v1/sync")).json()["complete_up_to"]
    for _ in range(3):
        await read_again(small, clock)
        assert (await tab.get("/api/v1/sync")).json()["complete_up_to"] == before
    assert refused.call_id not in await (await open_tab(small, portal)).list_ids()

    (oldest,) = await small.run_sql("SELECT portal_id, call_id FROM calls ORDER BY id LIMIT 1")
    oldest = (
        await small.run_sql(
            f"SELECT MIN(call_id) AS call_id FROM calls WHERE portal_id = {oldest['portal_id']}"
        )
    )[0]
    for table in ("calls", "call_legs"):
        await small.run_sql(f"DELETE FROM {table} WHERE call_id = '{oldest['call_id']}'")
    portal.state.statistics[:] = [row for row in portal.state.statistics if row.call_id != oldest["call_id"]]
    await small.run_sql("UPDATE portal_usage SET counted_at = 0")
    await run_job(small.parts, "one", recount)
    await read_again(small, clock)
    tab = await open_tab(small, portal)
    assert refused.call_id in await tab.list_ids()
    assert (await tab.get("/api/v1/sync")).json()["complete_up_to"] > before


async def test_the_portal_and_the_vendor_are_told(
    small: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal, other = stand_in.portals
    await install(small, other)
    await fill(small, portal, clock)
    await portal.end_call()
    await run_job(small.parts, "one", recount)
    employee = next(key for key, user in portal.state.users.items() if not user.is_admin)
    for user, text in (
        (None, "keep calls for a shorter time"),
        (employee, "An administrator"),
    ):
        tab = await open_tab(small, portal, user)
        assert (await tab.get("/api/v1/sync")).json()["quota_reached"] is True
        rows = (await tab.get("/log/rows")).text
        assert 'data-kind="quota_reached"' in rows
        assert text in rows
    assert (await (await open_tab(small, other)).get("/api/v1/sync")).json()["quota_reached"] is False
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    shown = await describe_whole(small.parts, found)
    assert shown["quotas_reached"] == ["rows", "departments"]
    stored = shown["stored"]
    assert isinstance(stored, dict)
    assert stored["rows"] == FULL
    assert stored["people"] == len(portal.state.users) - 1  # The portal's robot is not listed.
    answer = await small.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    reached = dict(
        re.findall(r'^callbook_portal_quota_reached\{quota="(\w+)"\} (\S+)$', answer.text, re.MULTILINE)
    )
    assert {name: count for name, count in reached.items() if float(count)} == {
        "rows": "1.0",
        "departments": "2.0",
    }


async def test_departments_that_are_left_out_are_counted_and_told_to_administrators(
    small: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    before = LIMITED.labels("departments")._value.get()  # noqa: SLF001  Its own way is a text of all.
    await install(small, portal)
    assert LIMITED.labels("departments")._value.get() == before + 1  # noqa: SLF001
    await run_job(small.parts, "one", recount)
    found = await queries.find_portal(portal.member_id)
    assert found is not None
    shown = await describe_whole(small.parts, found)
    assert shown["quotas_reached"] == ["departments"]
    told = [
        (await (await open_tab(small, portal, user)).get("/log/rows")).text for user in (None, OPERATOR_ID)
    ]
    assert ['data-kind="people_left_out"' in text for text in told] == [True, False]


async def choose(tab: Tab) -> httpx.Response:
    headers = {"Authorization": f"Bearer {tab.token}"}
    return await tab.callbook.client.post("/log/preferences", json={"theme": "dark"}, headers=headers)


async def test_a_choice_for_which_there_is_no_room_is_refused_with_a_sentence(
    small: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    await install(small, portal)
    answers = [await choose(await open_tab(small, portal, user)) for user in (None, OPERATOR_ID, None)]
    assert [answer.status_code for answer in answers] == [204, 503, 204]
    assert answers[1].json()["code"] == "quota_reached"
    assert "more room" in answers[1].json()["detail"]
    assert int(answers[1].headers["retry-after"]) > 0
