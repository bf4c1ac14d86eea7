"""Duplicates, late and out-of-order events: in every order the same rows."""

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bitrix24.call_end import CallRecord
from app.calls.ingest import Ingest
from app.kit.database import Database
from tests.calls.stored import STARTED_AT, TOKEN_HASH, insert_portal, make_record, read_calls, read_legs

NUMBERS = itertools.count()
LEG = st.tuples(st.sampled_from([None, STARTED_AT, STARTED_AT + 20, STARTED_AT + 40]), st.sampled_from("ab"))
DELIVERIES = st.lists(LEG, min_size=1, max_size=6)


def make_leg(call_id: str, started_at: int | None, *, is_answered: bool = False) -> CallRecord:
    """A leg's facts follow from its start: two deliveries of one leg say the same."""
    number = 0 if started_at is None else started_at - STARTED_AT + 1
    code = "200" if is_answered or number == 21 else "304"
    return make_record(call_id, started_at=started_at, code=code, duration_s=number, user_id=number)


async def test_a_duplicate_changes_nothing(ingest: Ingest, database: Database) -> None:
    portal_id = await insert_portal()
    assert await ingest.store(portal_id, TOKEN_HASH, make_record())
    before = await read_calls(database, portal_id)
    assert await ingest.store(portal_id, TOKEN_HASH, make_record(code="200", reason="other"))
    assert await ingest.store(portal_id, TOKEN_HASH, make_record(started_at=None))
    assert await read_calls(database, portal_id) == before
    assert await read_legs(database, portal_id) == []


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_another_start_is_a_further_leg_and_the_answered_one_shows(
    ingest: Ingest, database: Database, *, is_one_batch: bool
) -> None:
    portal_id = await insert_portal()
    answered = make_leg("call.1", STARTED_AT, is_answered=True)
    later = make_leg("call.1", STARTED_AT + 40)
    stores = [ingest.store(portal_id, TOKEN_HASH, record) for record in (later, answered)]
    if is_one_batch:
        assert await asyncio.gather(*stores) == [True, True]
    else:
        assert [await store for store in stores] == [True, True]
    (call,) = await read_calls(database, portal_id)
    assert (call["started_at"], call["code"], call["source"]) == (STARTED_AT, "200", "event")
    legs = await read_legs(database, portal_id)
    assert [(leg["started_at"], leg["statistics_id"]) for leg in legs] == [
        (STARTED_AT, None),
        (STARTED_AT + 40, None),
    ]


async def test_without_an_answer_the_last_leg_shows(ingest: Ingest, database: Database) -> None:
    portal_id = await insert_portal()
    for started_at in (STARTED_AT + 40, STARTED_AT):
        await ingest.store(portal_id, TOKEN_HASH, make_leg("call.1", started_at))
    (call,) = await read_calls(database, portal_id)
    assert call["started_at"] == STARTED_AT + 40


async def test_a_start_that_is_known_replaces_the_guess(ingest: Ingest, database: Database) -> None:
    portal_id = await insert_portal()
    await ingest.store(portal_id, TOKEN_HASH, make_leg("call.1", None), 17)
    await ingest.store(portal_id, TOKEN_HASH, make_leg("call.1", STARTED_AT))
    (call,) = await read_calls(database, portal_id)
    assert (call["started_at"], bool(call["is_start_guessed"])) == (STARTED_AT, False)
    assert await read_legs(database, portal_id) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), deliveries=DELIVERIES)
async def test_every_order_gives_the_same_rows(
    ingest: Ingest, database: Database, data: st.DataObject, deliveries: list[tuple[int | None, str]]
) -> None:
    """The same deliveries at two portals: to one in this order and one by one, to the other shuffled, in
    batches that chance cuts.
    """
    shuffled = data.draw(st.permutations(deliveries))
    first, second = [await insert_portal(f"{next(NUMBERS):032x}") for _ in range(2)]
    for started_at, call_id in deliveries:
        assert await ingest.store(first, TOKEN_HASH, make_leg(call_id, started_at), 17)
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        batch, shuffled = shuffled[:size], shuffled[size:]
        stores = [ingest.store(second, TOKEN_HASH, make_leg(call_id, at), 17) for at, call_id in batch]
        assert all(await asyncio.gather(*stores))
    assert await read_calls(database, first) == await read_calls(database, second)
    assert await read_legs(database, first) == await read_legs(database, second)
    assert {call["call_id"] for call in await read_calls(database, first)} == {leg[1] for leg in deliveries}
