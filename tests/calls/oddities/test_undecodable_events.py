"""A verified event that could not be decoded is kept, without tokens, and can be replayed."""

import pytest

from app.calls.intake.group_commit import Ingest
from app.calls.intake.replay import replay_undecodable
from app.calls.oddities.undecodable_events import (
    ROW,
    check_room_for_undecodable,
    keep_rows,
    keep_undecodable,
    list_undecodable,
)
from app.calls.space.destination import Destination
from app.calls.space.room import Room
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.news import Changes
from app.portals.settings.quotas import QuotaReached, Quotas
from tests.calls.stored_calls import STARTED_AT, TOKEN_HASH, insert_portal, read_calls, uninstall
from tests.running import FakeClock

DATA: dict[str, object] = {"CALL_ID": "call.1", "CALL_TYPE": "9", "PHONE_NUMBER": "+12025550123"}


async def keep(portal_id: int, data: dict[str, object] | None = None, token_hash: str = TOKEN_HASH) -> bool:
    return await keep_undecodable(
        portal_id, token_hash, "ONVOXIMPLANTCALLEND", DATA if data is None else data, "CALL_TYPE", STARTED_AT
    )


async def test_it_is_kept_as_it_came_without_tokens(database: Database) -> None:
    portal_id = await insert_portal()
    odd = {
        "CALL_ID": "NUL \x00 📞 \ud800",
        "AUTH_ID": "secret",
        "access_token": "secret",
        "x][TOKEN": "secret",
    }
    assert await keep(portal_id, dict(odd))
    (event,) = await list_undecodable(portal_id)
    assert event.data == {"CALL_ID": odd["CALL_ID"]}
    assert (event.event, event.reason, event.received_at) == ("ONVOXIMPLANTCALLEND", "CALL_TYPE", STARTED_AT)
    assert "secret" not in str(await database.run("SELECT * FROM undecodable_events"))


async def test_nothing_is_kept_under_a_row_that_no_longer_agrees(database: Database) -> None:
    portal_id = await insert_portal()
    assert not await keep(portal_id, token_hash="another")
    await uninstall(portal_id)
    assert not await keep(portal_id)
    assert await list_undecodable(portal_id) == []


async def test_at_its_quota_nothing_that_was_acknowledged_is_pushed_out(
    database: Database, clock: FakeClock
) -> None:
    quotas = Quotas(undecodable_events=3, odd_rows=2)
    first, second = [await insert_portal(letter * 32) for letter in "ab"]
    for number in range(3):
        await check_room_for_undecodable(first, quotas)
        assert await keep(first, {"CALL_ID": str(number)})
    with pytest.raises(QuotaReached):
        await check_room_for_undecodable(first, quotas)
    place = Destination(
        database=database,
        changes=Changes(database),
        portal_id=first,
        generation=1,
        room=Room(database, clock, quotas),
    )
    for number in range(4):
        await keep_rows(place, [({"ID": str(number)}, "CALL_ID")], STARTED_AT)
    kept = await list_undecodable(first)
    assert [event.data["CALL_ID"] for event in kept if event.event != ROW] == ["0", "1", "2"]
    assert [event.data["ID"] for event in kept if event.event == ROW] == ["2", "3"]
    await check_room_for_undecodable(second, quotas)


async def test_a_replay_stores_what_can_be_read_by_now(
    database: Database, ingest: Ingest, clock: FakeClock
) -> None:
    portal_id = await insert_portal()
    await keep(portal_id)
    await keep(portal_id, {"CALL_ID": "call.2", "CALL_TYPE": "1", "CALL_DURATION": "30"})
    portal = await queries.get_portal(portal_id)
    assert portal is not None
    destination = Destination(
        database=database,
        changes=Changes(database),
        portal_id=portal_id,
        generation=portal.generation,
        room=Room(database, clock),
    )
    result = await replay_undecodable(ingest, destination, portal)
    assert (result.stored, result.left) == (1, 1)
    (call,) = await read_calls(database, portal_id)
    assert (call["call_id"], call["started_at"]) == ("call.2", STARTED_AT - 30)
    assert [event.data["CALL_ID"] for event in await list_undecodable(portal_id)] == ["call.1"]
    assert (await replay_undecodable(ingest, destination, portal)).stored == 0
