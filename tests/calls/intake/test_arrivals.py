"""Duplicates, late and out-of-order events: in every order the same rows."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bitrix24.incoming.call_end import CallRecord
from app.calls.intake.group_commit import Ingest
from app.calls.store.legs import MOST_TOLD
from app.kit.storage.database import Database
from app.portals.settings.quotas import QuotaReached
from tests.calls.stored_calls import STARTED_AT, TOKEN_HASH, insert_portal, make_record, read_calls, read_legs

NUMBERS = itertools.count()
LEG = st.tuples(
    st.sampled_from([None, STARTED_AT, STARTED_AT + 20, STARTED_AT + 40]),
    st.sampled_from("ab"),
    st.sampled_from(["200", "304"]),
)
DELIVERIES = st.lists(LEG, min_size=1, max_size=6)


def make_leg(call_id: str, started_at: int | None, code: str = "304") -> CallRecord:
    return make_record(call_id, started_at=started_at, code=code)


async def test_a_duplicate_changes_nothing(ingest: Ingest, database: Database) -> None:
    portal_id = await insert_portal()
    assert await ingest.store(portal_id, TOKEN_HASH, make_record())
    before = await read_calls(database, portal_id)
    assert await ingest.store(portal_id, TOKEN_HASH, make_record())
    assert await read_calls(database, portal_id) == before
    assert await read_legs(database, portal_id) == []


@pytest.mark.parametrize(
    "other", [{"user_id": 8}, {"reason": "Told otherwise"}, {"user_id": 8, "duration_s": 9}]
)
@pytest.mark.parametrize("started_at", [STARTED_AT, None])
@pytest.mark.parametrize("is_answered_first", [True, False])
async def test_of_two_events_of_one_start_both_are_kept_and_the_answered_one_shows(
    ingest: Ingest,
    database: Database,
    other: dict[str, Any],
    started_at: int | None,
    *,
    is_answered_first: bool,
) -> None:
    """An application finished a call twice, or events name no start."""
    portal_id = await insert_portal()
    missed = make_record(started_at=started_at)
    answered = make_record(started_at=started_at, code="200", **other)
    for record in (answered, missed) if is_answered_first else (missed, answered):
        assert await ingest.store(portal_id, TOKEN_HASH, record, STARTED_AT)
    (call,) = await read_calls(database, portal_id)
    assert (call["code"], call["user_id"]) == ("200", answered.user_id)
    assert sorted(leg["code"] for leg in await read_legs(database, portal_id)) == ["200", "304"]


@pytest.mark.quick
@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_another_start_is_a_further_leg_and_the_answered_one_shows(
    ingest: Ingest, database: Database, *, is_one_batch: bool
) -> None:
    portal_id = await insert_portal()
    answered = make_leg("call.1", STARTED_AT, "200")
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
    assert sorted(leg["started_at"] for leg in await read_legs(database, portal_id)) == [17, STARTED_AT]


async def test_more_tellings_of_one_call_than_an_honest_portal_has_are_refused(
    ingest: Ingest, database: Database
) -> None:
    portal_id = await insert_portal()
    for duration_s in range(MOST_TOLD):
        assert await ingest.store(portal_id, TOKEN_HASH, make_record(duration_s=duration_s))
    with pytest.raises(QuotaReached):
        await ingest.store(portal_id, TOKEN_HASH, make_record(duration_s=MOST_TOLD))
    assert await ingest.store(portal_id, TOKEN_HASH, make_record(duration_s=0))
    assert len(await read_legs(database, portal_id)) == MOST_TOLD


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), deliveries=DELIVERIES)
async def test_every_order_gives_the_same_rows(
    ingest: Ingest, database: Database, data: st.DataObject, deliveries: list[tuple[int | None, str, str]]
) -> None:
    """The same deliveries at two portals: to one in this order and one by one, to the other shuffled and in
    random batches.
    """
    shuffled = data.draw(st.permutations(deliveries))
    first, second = [await insert_portal(f"{next(NUMBERS):032x}") for _ in range(2)]
    for started_at, call_id, code in deliveries:
        assert await ingest.store(first, TOKEN_HASH, make_leg(call_id, started_at, code), 17)
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        batch, shuffled = shuffled[:size], shuffled[size:]
        stores = [
            ingest.store(second, TOKEN_HASH, make_leg(call_id, at, code), 17) for at, call_id, code in batch
        ]
        assert all(await asyncio.gather(*stores))
    assert await read_calls(database, first) == await read_calls(database, second)
    assert await read_legs(database, first) == await read_legs(database, second)
    assert {call["call_id"] for call in await read_calls(database, first)} == {leg[1] for leg in deliveries}
