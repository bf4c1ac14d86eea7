"""A value that the database refuses is the fault of its event, and never taken for a database that is
away.
"""

import asyncio
import sqlite3

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.calls.intake.event_recorder import REFUSED_BY_DATABASE
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.storage.database import DATABASE_ERRORS, Database, is_away, is_refusal
from app.portals.settings.quotas import Quotas
from tests.running import Callbook, FakeClock

REFUSED = "poison"
_SQLITE = "CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} {when} BEGIN SELECT RAISE(ABORT, 'no'); END"
_FUNCTION = """CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'numeric_value_out_of_range'; END $$"""
_TRIGGER = """CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} FOR EACH ROW {when}
EXECUTE FUNCTION refuse_{table}()"""


async def refuse_inserts(database: Database, table: str, when: str = "") -> None:
    for sql in [_SQLITE] if database.is_sqlite else [_FUNCTION, _TRIGGER]:
        await database.run(sql.format(table=table, when=when and f"WHEN ({when})"))


@pytest.fixture
async def portals(callbook: Callbook, stand_in: StandIn) -> list[StandInPortal]:
    for portal in stand_in.portals:
        portal.add_app()
        await portal.install(callbook.url)
    await callbook.settle()
    return stand_in.portals


async def list_wanted_reads(callbook: Callbook, clock: FakeClock) -> list[str]:
    """The portals whose statistics are to be read because of events since the last call."""
    clock.advance(1)
    await callbook.parts.evidence.flush()
    rows = await callbook.run_sql(
        "SELECT p.member_id FROM statistics_marks m JOIN portals p ON p.id = m.portal_id"
        f" WHERE m.evidence_at = {clock.now()} ORDER BY p.id"
    )
    return [row["member_id"] for row in rows]


async def test_an_event_with_such_a_value_is_kept_and_hinders_no_other(
    callbook: Callbook, portals: list[StandInPortal], clock: FakeClock
) -> None:
    await list_wanted_reads(callbook, clock)
    await refuse_inserts(callbook.parts.database, "calls", f"NEW.call_id = '{REFUSED}'")
    good = [portals[1].end_call(call_id=f"good.{index}") for index in range(20)]
    bad = [portals[0].end_call(call_id=REFUSED) for _ in range(3)]
    answers = await asyncio.gather(*good, *bad)
    assert {answer.response.status_code for answer in answers} == {200}
    stored = await callbook.run_sql("SELECT call_id FROM calls")
    assert {row["call_id"] for row in stored} == {f"good.{index}" for index in range(20)}
    kept = await callbook.run_sql("SELECT reason, payload FROM undecodable_events")
    assert [(row["reason"], REFUSED in row["payload"]) for row in kept] == [(REFUSED_BY_DATABASE, True)] * 3
    assert await list_wanted_reads(callbook, clock) == [portals[0].member_id]


async def test_one_that_cannot_even_be_kept_is_missed_in_its_own_portal_alone(
    callbook: Callbook, portals: list[StandInPortal], clock: FakeClock
) -> None:
    await list_wanted_reads(callbook, clock)
    await refuse_inserts(callbook.parts.database, "undecodable_events")
    lost = await portals[0].end_call(data={"CALL_DURATION": "a while"})
    assert lost.response.status_code == 503
    assert (await portals[1].end_call()).response.status_code == 200
    assert await list_wanted_reads(callbook, clock) == [portals[0].member_id]


@pytest.mark.parametrize(
    ("kind", "value"), [("bigint", 2**70), ("text", "half \ud800"), ("text", "\x00"), ("bigint", "a text")]
)
async def test_what_the_drivers_say_of_a_bad_value_is_a_refusal(
    callbook: Callbook, kind: str, value: object
) -> None:
    database = callbook.parts.database
    if database.is_sqlite and value in {"\x00", "a text"}:
        return  # SQLite takes these values.
    sql = "SELECT ? AS x" if database.is_sqlite else f"SELECT $1::{kind} AS x"
    with pytest.raises((*DATABASE_ERRORS, ArithmeticError, ValueError)) as caught:
        await database.run(sql, value)
    assert is_refusal(caught.value)
    assert not is_away(caught.value)


async def test_a_constraint_is_a_refusal(callbook: Callbook, portals: list[StandInPortal]) -> None:
    with pytest.raises(DATABASE_ERRORS) as caught:
        await callbook.run_sql("UPDATE portals SET member_id = NULL")
    assert is_refusal(caught.value)
    assert not is_away(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(), TimeoutError(), sqlite3.OperationalError(), asyncpg.InterfaceError("closed")),
        *(asyncpg.ConnectionDoesNotExistError(), asyncpg.DiskFullError(), asyncpg.CannotConnectNowError()),
    ],
)
def test_a_database_that_is_away_refuses_no_value(error: Exception) -> None:
    assert is_away(error)
    assert not is_refusal(error)


async def test_any_number_of_such_events_costs_two_lines_also_beyond_the_quota(
    callbook: Callbook, portals: list[StandInPortal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbook.parts.recorder, "_quotas", Quotas(undecodable_events=3))
    await refuse_inserts(callbook.parts.database, "calls", f"NEW.call_id = '{REFUSED}'")
    with capture_logs() as lines:
        ended = [await portals[0].end_call(call_id=REFUSED) for _ in range(6)]
        callbook.parts.recorder.undecoded.tell()
    assert [call.response.status_code for call in ended] == [200] * 3 + [503] * 3
    told = [line for line in lines if line["event"] == "event not decoded"]
    assert [(line["count"], line["reason"]) for line in told] == [
        (1, REFUSED_BY_DATABASE),
        (5, REFUSED_BY_DATABASE),
    ]


async def test_events_that_are_not_stored_cost_two_lines(
    callbook: Callbook, portals: list[StandInPortal], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(callbook.parts.ingest, "store", fail)
    with capture_logs() as lines:
        for _ in range(4):
            assert (await portals[0].end_call()).response.status_code == 503
        callbook.parts.unstored_events.tell()
    told = [line for line in lines if line["event"] == "event not stored"]
    assert [(line["count"], line["error"]) for line in told] == [
        (1, "ConnectionError"),
        (3, "ConnectionError"),
    ]
