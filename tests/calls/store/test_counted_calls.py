"""Whether the statistics confirm a call: in any order of events, rows and reads, the same answer."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from piccolo.columns.combination import And

from app.calls.intake.group_commit import Ingest
from app.calls.log.logged_calls import Viewer, list_calls
from app.calls.log.selection.filters import Filters, ListRequest
from app.calls.statistics.read_turns import Histories
from app.calls.store.counted_calls import GRACE_S, Counting
from app.calls.store.counted_queries import counted, find_counting
from app.calls.tables import CallTable
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.news import Changes
from app.portals.settings.visible_users import EVERYONE
from app.scheduler import read_histories, reconcile, run_job
from tests.calls.statistics.fetch.fake_statistics import FakeAccess
from tests.calls.statistics_rows import install, make_row, read_mark
from tests.calls.stored_calls import TOKEN_HASH, insert_portal, make_record
from tests.running import Callbook, FakeClock
from tests.web.browsing import open_tab

NUMBERS = itertools.count()
CALLS = 3
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(1, CALLS)),
        st.tuples(st.just("row"), st.integers(1, CALLS)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([1, GRACE_S, GRACE_S + 1])),
    ),
    max_size=14,
)


class World:
    """A portal, its statistics, and the expected state of each of its calls."""

    def __init__(self, database: Database, ingest: Ingest, clock: FakeClock, portal_id: int) -> None:
        self.ingest, self.clock, self.portal_id = ingest, clock, portal_id
        self.access = FakeAccess()
        self.histories = Histories(self.access, database, clock, Changes(database))
        self.started_at = clock.now()
        self.received_at: dict[str, int] = {}
        self.shown: set[str] = set()
        self.looked_at: int | None = None

    async def take(self, kind: str, number: int) -> None:
        call_id = f"call.{number}"
        match kind:
            case "event":
                record = make_record(call_id, started_at=self.started_at, user_id=12)
                await self.ingest.store(self.portal_id, TOKEN_HASH, record)
                self.received_at.setdefault(call_id, self.clock.now())
            case "row":
                if all(row.id != number for row in self.access.rows):
                    self.access.rows.append(make_row(number, started_at=self.started_at))
            case "read":
                portal = await queries.get_portal(self.portal_id)
                assert portal is not None
                await self.histories.catch_up(portal)
                self.looked_at = self.clock.now()
                self.shown = {row.call_id for row in self.access.rows}
            case _:
                self.clock.advance(number)

    def expect(self, call_id: str) -> bool | None:
        if call_id in self.shown:
            return True
        is_known = self.looked_at is not None and self.received_at[call_id] < self.looked_at - GRACE_S
        return False if is_known else None

    async def assert_holds(self) -> None:
        viewer = Viewer(self.portal_id, 1, EVERYONE)
        page = await list_calls(viewer, ListRequest(Filters()))
        expected = {call_id: self.expect(call_id) for call_id in self.shown | self.received_at.keys()}
        assert {call.call_id: call.confirmed for call in page.calls} == expected
        is_counted = And(CallTable.portal_id == self.portal_id, counted(await find_counting(self.portal_id)))
        rows = await CallTable.select(CallTable.call_id).where(is_counted)
        doubted = {call_id for call_id, confirmed in expected.items() if confirmed is False}
        assert {row["call_id"] for row in rows} == expected.keys() - doubted


@given(steps=STEPS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_order_of_events_rows_and_reads(
    database: Database, ingest: Ingest, clock: FakeClock, steps: list[tuple[str, int]]
) -> None:
    world = World(database, ingest, clock, await insert_portal(f"{next(NUMBERS):032x}"))
    await world.take("read", 0)  # This read begins the history.
    world.looked_at = None
    for kind, number in steps:
        await world.take(kind, number)
        await world.assert_holds()


@pytest.mark.parametrize("step_s", [-600, 600])
def test_ten_minutes_of_a_clocks_step_doubt_nothing_new(step_s: int) -> None:
    counting = Counting(looked_at=10_000)
    assert counting.judge(10_000 + step_s, is_confirmed=False, is_gone=False) is None


def test_a_clock_that_steps_forward_before_a_read_doubts_no_call_that_has_just_come() -> None:
    assert Counting(looked_at=10_000 + 600 + 300).judge(10_000, is_confirmed=False, is_gone=False) is None


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    await install(callbook, stand_in.portals[0])
    return stand_in.portals[0]


async def read(callbook: Callbook, clock: FakeClock) -> None:
    """Do a read, after the time in which the statistics may be behind."""
    clock.advance(GRACE_S + 1)
    await callbook.run_sql("UPDATE statistics_marks SET next_read_at = 0")
    # Too long ago to be an obstacle.
    await callbook.run_sql("UPDATE portals SET access_expires_at = 0, pair_stored_at = 0, pair_bought_at = 0")
    await run_job(callbook.parts, "one", reconcile)
    await callbook.settle()


async def ask_sync(callbook: Callbook, portal: StandInPortal) -> Any:
    return (await (await open_tab(callbook, portal)).get("/api/v1/sync")).json()["limited"]


async def list_confirmed(callbook: Callbook, portal: StandInPortal) -> list[bool | None]:
    tab = await open_tab(callbook, portal)
    return [call["confirmed"] for call in (await tab.get("/api/v1/calls")).json()["items"]]


@pytest.mark.quick
async def test_calls_of_several_operators_that_are_missing_make_the_log_a_limited_one(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    """Until a later call is shown, the statistics may be late; after it, the owner's rights are the cause."""
    portal.admin.statistics_right = "own"
    operators = [user.id for user in portal.users.values() if user.id != portal.admin.id][:2]
    await portal.end_call(user_id=portal.admin.id)
    await portal.end_call(user_id=operators[0])
    await read(callbook, clock)
    assert await ask_sync(callbook, portal) is None
    assert sorted(await list_confirmed(callbook, portal), key=str) == [False, True]
    await portal.end_call(user_id=operators[1])
    await read(callbook, clock)
    assert await ask_sync(callbook, portal) is None
    await portal.end_call(user_id=portal.admin.id)
    await read(callbook, clock)
    limited = await ask_sync(callbook, portal)
    assert limited["owner"] == portal.admin.full_name
    assert "Call Statistics" in limited["remedy"]
    assert (await find_counting((await read_mark(portal)).portal_id)).counted_from == 0
    assert (await list_confirmed(callbook, portal)).count(False) == 2
    portal.admin.statistics_right = "all"
    await read(callbook, clock)
    assert await ask_sync(callbook, portal) is None
    assert await list_confirmed(callbook, portal) == [True] * 4


async def test_statistics_that_are_late_for_hours_are_no_limit(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    operators = [user.id for user in portal.users.values() if user.id != portal.admin.id][:2]
    for user_id in operators:
        await portal.end_call(user_id=user_id)
    late = [portal.state.statistics.pop() for _ in operators]
    await read(callbook, clock)
    assert await ask_sync(callbook, portal) is None
    portal.state.statistics += reversed(late)
    await read(callbook, clock)
    assert await list_confirmed(callbook, portal) == [True, True]


async def test_what_was_hidden_from_the_owner_is_found_a_day_later_however_old_it_is(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    operators = [user.id for user in portal.users.values() if user.id != portal.admin.id][:2]
    years_ago = clock.now() - 2 * 365 * 86_400
    seen = make_row(400, user_id=portal.admin.id, started_at=clock.now())
    portal.state.statistics += [make_row(1, user_id=operators[0], started_at=years_ago), seen]
    await callbook.run_sql("DELETE FROM statistics_marks")
    portal.admin.statistics_right = "own"
    await read_histories(callbook.parts)
    await callbook.settle()
    portal.admin.statistics_right = "all"
    clock.advance(86_400)
    await read(callbook, clock)
    mark = await read_mark(portal)
    assert (mark.history_state, mark.complete_up_to is not None) == ("complete", True)
    assert await callbook.run_sql("SELECT 1 AS one FROM calls WHERE call_id = 'call.1'")


async def test_forged_calls_of_operators_whose_calls_are_shown_are_not_taken_for_a_limit(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    operators = [user.id for user in portal.users.values() if user.id != portal.admin.id][:2]
    for user_id in operators:
        await portal.end_call(user_id=user_id)
        portal.state.statistics.pop()
    clock.advance(60)
    for user_id in operators:
        await portal.end_call(user_id=user_id)
    await read(callbook, clock)
    assert await ask_sync(callbook, portal) is None
    assert sorted(await list_confirmed(callbook, portal), key=str) == [False, False, True, True]
