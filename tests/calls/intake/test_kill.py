"""Kill -9 under load: every event that got its 200 is there after the restart, once."""

import asyncio
from collections import Counter

from app.kit.storage.database import Database
from tests.load import Load, Sender
from tests.processes import insert_sender, run_serve

ROUNDS = 10
IN_FLIGHT = 32
ACKNOWLEDGED = 1_000


async def kill_under_load(database_url: str, sender: Sender, module: str = "app") -> list[str]:
    """Start, load and kill -9 with requests in flight; return the calls that were acknowledged."""
    with run_serve(database_url, module=module) as (process, port):
        load = Load(sender, IN_FLIGHT)
        running = asyncio.create_task(load.run("127.0.0.1", port))
        await load.wait_for(ACKNOWLEDGED)
        assert load.in_flight == IN_FLIGHT
        process.kill()
        outcome = await running
    assert set(outcome.statuses) == {200}
    assert len(outcome.acknowledged) >= ACKNOWLEDGED
    return outcome.acknowledged


async def count_stored(database_url: str) -> Counter[str]:
    """The number of stored calls after a restart, which recovers the database."""
    with run_serve(database_url):
        pass
    database = Database(database_url)
    await database.open()
    rows = await database.run("SELECT call_id FROM calls")
    await database.close()
    return Counter(str(row["call_id"]) for row in rows)


async def test_what_was_acknowledged_survives_kill_9_once(database_url: str) -> None:
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        sender = await insert_sender(database_url)
        acknowledged += await kill_under_load(database_url, sender)
    stored = await count_stored(database_url)
    assert [call_id for call_id in acknowledged if stored[call_id] != 1] == []
    assert len(stored) <= len(acknowledged) + ROUNDS * IN_FLIGHT


async def test_the_test_sees_it_when_the_answer_comes_before_the_commit(database_url: str) -> None:
    sender = await insert_sender(database_url)
    acknowledged = await kill_under_load(database_url, sender, module="tests.swapped")
    stored = await count_stored(database_url)
    assert [call_id for call_id in acknowledged if stored[call_id] != 1] == acknowledged
