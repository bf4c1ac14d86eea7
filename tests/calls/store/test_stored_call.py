"""One call as stored, after forged, late and doubled events, rows corrected in any field, and reads in
between.
"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.calls.intake.group_commit import Ingest
from app.calls.log.logged_calls import Viewer, list_calls, list_legs
from app.calls.log.selection.filters import Filters, ListRequest
from app.calls.log.summary_queries import summarize
from app.calls.store.counted_calls import GRACE_S
from app.demo.core.statistics import StatisticsRow
from app.kit.storage.database import Database
from app.portals.settings.visible_users import EVERYONE
from tests.calls.statistics.test_audit import DAY, World, make_world
from tests.calls.statistics_rows import make_row
from tests.calls.stored_calls import TOKEN_HASH, make_record
from tests.running import FakeClock

FORGER, OPERATORS = 666, (7, 8)
FACTS = ("user_id", "started_at", "duration_s", "code", "phone_number", "reason")
APART_S = st.sampled_from([0, 1, 60])
CODES = st.sampled_from(["200", "304"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), APART_S, st.sampled_from([None, *OPERATORS, FORGER]), CODES),
        st.tuples(
            *(st.just("row"), APART_S, st.sampled_from([None, *OPERATORS]), CODES),
            *(st.integers(1, 3), st.sampled_from(["", "one", "two"])),
        ),
        st.tuples(st.sampled_from(["read", "day"])),
    ),
    min_size=1,
    max_size=10,
)


async def take(world: World, ingest: Ingest, began_at: int, kind: str, *told: Any) -> None:
    match kind:
        case "event":
            apart_s, user_id, code = told
            facts = {"started_at": began_at + apart_s, "user_id": user_id, "code": code}
            record = make_record(**facts, reason="~ told", phone_number="told", duration_s=9_000)
            assert await ingest.store(world.portal.id, TOKEN_HASH, record)
        case "row":
            apart_s, user_id, code, number, reason = told
            facts = {"started_at": began_at + apart_s, "user_id": user_id, "code": code, "reason": reason}
            rows = [row for row in world.access.rows if row.id != number]
            rows.append(make_row(number, **facts, call_id="call.1", duration_s=number))
            world.access.rows = sorted(rows, key=lambda row: row.id)
        case _:
            world.clock.advance(DAY if kind == "day" else 0)
            await world.read(is_full=kind == "day")


def facts_of(row: StatisticsRow) -> tuple[object, ...]:
    return tuple(getattr(row, name) or None for name in FACTS)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_after_any_events_in_any_order_the_log_shows_the_last_version_of_each_row(
    database: Database, clock: FakeClock, ingest: Ingest, steps: list[Any]
) -> None:
    world = await make_world(database, clock)
    began_at = clock.now()
    await world.read()
    for step in steps:
        await take(world, ingest, began_at, *step)
    clock.advance(GRACE_S + 1)
    mark = await world.read()
    assert mark.complete_up_to is not None
    rows = sorted(world.access.rows, key=lambda row: (row.started_at, row.id))
    if not rows:
        return
    viewer = Viewer(world.portal.id, 1, EVERYONE)
    (call,) = (await list_calls(viewer, ListRequest(Filters()))).calls
    legs = (await list_legs(viewer, [call]))[call.id]
    assert [tuple(getattr(leg, name) for name in FACTS) for leg in legs] == [facts_of(row) for row in rows]
    shown = max(rows, key=lambda row: (row.code == "200", row.started_at, row.id))
    assert tuple(getattr(call, name) for name in FACTS) == facts_of(shown)
    talk_s = sum(row.duration_s for row in rows) if shown.code == "200" else 0
    assert (await summarize(world.portal.id, EVERYONE, Filters())).talk_s == talk_s
    for user_id in (*OPERATORS, FORGER):
        own = Viewer(world.portal.id, user_id, frozenset({user_id}))
        is_theirs = user_id in {row.user_id for row in rows}
        assert bool((await list_calls(own, ListRequest(Filters()))).calls) == is_theirs
