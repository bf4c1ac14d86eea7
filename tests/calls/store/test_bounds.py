"""One event or row leaves a bounded amount in the database, with texts of any length."""

import json
from typing import Any

import pytest
from piccolo.columns import Text

from app.bitrix24.incoming.call_end import decode_call_end
from app.bitrix24.incoming.statistics import decode_statistics_row
from app.calls.intake.group_commit import Ingest
from app.calls.intake.replay import replay_undecodable
from app.calls.oddities.kept_payloads import MAX_DEPTH, NOT_WHOLE, keep_payload
from app.calls.oddities.undecodable_events import ROW, keep_rows, keep_undecodable, list_undecodable
from app.calls.space.destination import Destination
from app.calls.space.room import Room
from app.calls.statistics.fetch.merge import write_rows
from app.calls.store.legs import CUT
from app.calls.tables import CallLegTable, CallTable
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.news import Changes
from tests.calls.stored_calls import STARTED_AT, TOKEN_HASH, insert_portal, read_calls, read_legs
from tests.running import FakeClock

KIB_8 = 8_192
WIDE = "📞" * 60_000
CALL = {"CALL_ID": "📞" * 255, "PHONE_NUMBER": WIDE, "PORTAL_NUMBER": WIDE, "COST_CURRENCY": WIDE}
CALL |= {"CALL_FAILED_CODE": WIDE, "CALL_FAILED_REASON": WIDE}
TEXT_COLUMNS = {
    column._meta.name  # noqa: SLF001  Piccolo has no public way.
    for table in (CallTable, CallLegTable)
    for column in table._meta.columns  # noqa: SLF001
    if isinstance(column, Text)
}
BOUNDS = {"reason": 500, "comment": 8_000}


def assert_bounded(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        for name in TEXT_COLUMNS & row.keys():
            assert len(row[name] or "") <= BOUNDS.get(name, 255), name


async def test_every_text_of_an_event_is_bounded_and_all_of_them_are_under_8_kib(
    database: Database, ingest: Ingest
) -> None:
    portal_id = await insert_portal()
    for phone_number in (WIDE, "0123456789" * 6_000):
        record = decode_call_end(CALL | {"PHONE_NUMBER": phone_number, "CALL_ID": phone_number[:255]})
        assert await ingest.store(portal_id, TOKEN_HASH, record)
    rows = await read_calls(database, portal_id)
    assert len(rows) == 2
    assert_bounded(rows)
    for row in rows:
        assert row["reason"].endswith(CUT)
        assert sum(len((row[name] or "").encode()) for name in TEXT_COLUMNS) <= KIB_8


async def test_every_text_of_a_row_is_bounded(database: Database) -> None:
    portal_id = await insert_portal()
    destination = Destination(
        database=database,
        changes=Changes(database),
        portal_id=portal_id,
        generation=1,
        room=Room(database, FakeClock()),
    )
    row = CALL | {"ID": "1", "COMMENT": WIDE, "CRM_ENTITY_TYPE": WIDE}
    await write_rows(destination, [decode_statistics_row(row)], STARTED_AT)
    calls, legs = await read_calls(database, portal_id), await read_legs(database, portal_id)
    assert len(calls) == len(legs) == 1
    assert_bounded([*calls, *legs])


@pytest.mark.parametrize(
    "data",
    [
        {"CALL_ID": WIDE, "CALL_TYPE": "9"},
        {f"KEY_{number}": "x" * 100 for number in range(600)},
        {WIDE: "9"},
        {"CALL_ID": ["x" * 20] * 3_000},
        {"CALL_ID": {f"{number}": WIDE for number in range(9)}},
    ],
)
async def test_what_is_kept_of_an_odd_event_or_row_is_under_8_kib_marked_and_never_replayed(
    database: Database, ingest: Ingest, data: dict[str, object]
) -> None:
    portal_id = await insert_portal()
    assert await keep_undecodable(portal_id, TOKEN_HASH, "ONVOXIMPLANTCALLEND", data, "odd", STARTED_AT)
    destination = Destination(
        database=database,
        changes=Changes(database),
        portal_id=portal_id,
        generation=1,
        room=Room(database, FakeClock()),
    )
    await keep_rows(destination, [(data, "odd")], STARTED_AT)
    for row in await database.run("SELECT payload, reason FROM undecodable_events"):
        assert len(str(row["payload"])) <= KIB_8
        assert row["reason"] == "odd" + NOT_WHOLE
    assert [kept.event for kept in await list_undecodable(portal_id)] == ["ONVOXIMPLANTCALLEND", ROW]
    portal = await queries.get_portal(portal_id)
    assert portal is not None
    result = await replay_undecodable(ingest, destination, portal)
    assert (result.stored, result.left) == (0, 2)
    assert await read_calls(database, portal_id) == []


def test_as_much_as_there_is_room_for_is_kept() -> None:
    payload, reason = keep_payload({"A": "x" * 60_000, "B": "y", "C": None, "D": [1, {"E": "z"}]}, "odd")
    kept = json.loads(payload)
    assert kept.pop("A") in "x" * 60_000
    assert kept == {"B": "y", "C": None, "D": [1, {"E": "z"}]}
    assert reason == "odd" + NOT_WHOLE


def test_secrets_are_not_kept_at_any_depth_and_what_is_too_deep_is_not_kept_at_all() -> None:
    deep: object = "bottom"
    for _ in range(MAX_DEPTH + 1):
        deep = {"a": deep}
    data = {"a": {"b": [{"access_token": "secret", "c": "kept"}]}, "auth": {"x": "secret"}, "deep": deep}
    payload, reason = keep_payload(data, "odd")
    assert json.loads(payload) == {"a": {"b": [{"c": "kept"}]}, "deep": None}
    assert reason == "odd" + NOT_WHOLE
