"""Calls whose rows the portal deleted, and confirmed ones beside forged events: their owners, and which of
them count.
"""

import pytest

from app.calls.intake.group_commit import Ingest
from app.calls.log.log_queries import select_recorded_legs
from app.calls.log.logged_calls import Viewer, find_call, list_legs
from app.calls.log.selection.filters import Filters
from app.calls.log.summary_queries import summarize
from app.calls.store.counted_queries import find_counting
from app.kit.storage.database import Database
from app.portals.settings.visible_users import EVERYONE
from tests.calls.statistics.test_audit import DAY, World, make_world
from tests.calls.stored_calls import TOKEN_HASH, make_record
from tests.running import FakeClock

FORGER, OPERATOR = 666, 12
DELETED = 150


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> World:
    """A portal with recorded calls of one operator, 60 days old, all of them read."""
    world = await make_world(database, clock)
    old = clock.now() - 60 * DAY
    world.fill(range(1, 301), started_at=old, user_id=OPERATOR, record_file_id=9)
    await world.read()
    return world


async def forge(world: World, ingest: Ingest, call_id: str, user_id: int = FORGER) -> None:
    now = world.clock.now()
    record = make_record(call_id, user_id=user_id, started_at=now, code="200", duration_s=9_000)
    assert await ingest.store(world.portal.id, TOKEN_HASH, record)


async def delete(world: World) -> None:
    """Delete rows, and read a day later."""
    world.access.rows.remove(world.row(DELETED))
    world.clock.advance(DAY)
    await world.read()


def viewer(world: World, user_id: int) -> Viewer:
    return Viewer(world.portal.id, user_id, frozenset({user_id}))


@pytest.mark.parametrize("is_forged_before", [True, False])
async def test_a_deleted_row_leaves_its_call_to_its_operator_despite_any_forged_event(
    world: World, ingest: Ingest, *, is_forged_before: bool
) -> None:
    name = f"call.{DELETED}"
    if is_forged_before:
        await forge(world, ingest, name)
    await delete(world)
    if not is_forged_before:
        await forge(world, ingest, name)
    assert await find_call(viewer(world, FORGER), name) is None
    own = viewer(world, OPERATOR)
    call = await find_call(own, name)
    assert call is not None
    assert (call.user_id, call.code, call.duration_s, call.confirmed) == (OPERATOR, "200", 35, False)
    assert (await list_legs(own, [call]))[call.id][0].confirmed is False


async def test_a_deleted_call_plays_no_recording(world: World) -> None:
    heard = [DELETED - 1, DELETED, DELETED + 1]
    await delete(world)
    found = [
        leg.statistics_id
        for one in heard
        for leg in await select_recorded_legs(world.portal.id, EVERYONE, f"call.{one}")
    ]
    assert found == [DELETED - 1, DELETED + 1]


async def test_deleted_calls_never_count_also_while_the_owner_s_rights_have_others_count(
    world: World, ingest: Ingest
) -> None:
    """Only events tell of the calls of two employees, and the statistics show no later ones of theirs."""
    await delete(world)
    for user_id in (21, 22):
        await forge(world, ingest, f"unseen.{user_id}", user_id)
    world.clock.advance(DAY)
    mark = await world.read()
    assert mark.is_limited
    assert (await find_counting(world.portal.id)).counted_from == 0
    assert (await summarize(world.portal.id, EVERYONE, Filters())).calls == len(world.shown()) + 2


async def test_one_hidden_row_has_neither_forged_nor_deleted_calls_count(
    world: World, ingest: Ingest
) -> None:
    """The last call of an employee that left was deleted: nothing tells it from a hidden one."""
    world.fill(range(301, 302), user_id=7, started_at=world.row(1).started_at)
    world.fill(range(302, 360), user_id=OPERATOR, started_at=world.row(1).started_at)
    await world.read()
    for number in range(5):
        await forge(world, ingest, f"forged.{number}", OPERATOR)
    await delete(world)
    world.access.rows.remove(world.row(301))
    world.clock.advance(DAY)
    await world.read()
    world.clock.advance(DAY)
    mark = await world.read()
    assert (mark.is_limited, mark.counts_all) == (True, False)
    counted = (await summarize(world.portal.id, EVERYONE, Filters())).calls
    assert counted == len(world.shown()) + 1  # The hidden call is confirmed.


async def test_a_deleted_call_is_no_sign_of_less_rights(world: World) -> None:
    """Nor is a call with another CALL_ID by now, which was the last one of two operators."""
    for number, user_id in ((301, 31), (302, 32)):
        world.fill(range(number, number + 1), user_id=user_id)
    await world.read()
    for number in (301, 302):
        world.row(number).call_id = f"renamed.{number}"
        world.row(number).user_id = OPERATOR
    world.clock.advance(DAY)
    assert not (await world.read()).is_limited
    assert (await summarize(world.portal.id, EVERYONE, Filters())).calls == len(world.shown())


async def test_a_forged_event_adds_no_text_to_a_confirmed_call(world: World, ingest: Ingest) -> None:
    """The event has the user and start of the row, which has no reason and no currency."""
    world.fill(range(301, 302), user_id=OPERATOR, reason="", currency="")
    row = world.row(301)
    await world.read()
    for reason in ("~ forged for good", None, "Success"):
        told = make_record(
            row.call_id, user_id=OPERATOR, started_at=row.started_at, reason=reason, currency="ZZZ"
        )
        await ingest.store(world.portal.id, TOKEN_HASH, told)
    call = await find_call(viewer(world, OPERATOR), row.call_id)
    assert call is not None
    assert (call.reason, call.currency) == (None, None)
    world.clock.advance(DAY)
    await world.read()
    stored = await world.run(f"SELECT reason FROM calls WHERE call_id = '{row.call_id}'")
    assert stored == [{"reason": None}]
