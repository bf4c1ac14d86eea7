"""A database that is away costs a 503, but never an event that was answered 200, and Callbook recovers by
itself.
"""

import contextlib
import struct
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.calls.intake.fast_insert import PostgresInserter
from app.calls.intake.group_commit import PROBED_FOR_S
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.storage.postgres_engine import POOL_SIZE, PooledPostgresEngine
from app.kit.storage.sqlite_engine import KeptSQLiteEngine
from tests.running import Callbook, FakeClock


class Outage:
    """Takes the database away from Callbook and gives it back."""

    def __init__(self, callbook: Callbook) -> None:
        self._database = callbook.parts.database

    async def begin(self) -> None:
        if self._database.is_sqlite:
            await self._set_read_only("1")
        else:
            await self._execute("ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await self._execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )

    async def end(self) -> None:
        if self._database.is_sqlite:
            await self._set_read_only("0")
        else:
            await self._execute("ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    async def _set_read_only(self, value: str) -> None:
        """Let every write fail, as on a full or broken disk."""
        engine = self._database.engine
        assert isinstance(engine, KeptSQLiteEngine)
        assert engine.writer is not None
        await engine.writer.execute(f"PRAGMA query_only = {value}")

    async def _execute(self, sql: str) -> None:
        name = urlsplit(self._database.url).path.removeprefix("/")
        connection = await asyncpg.connect(self._database.url.replace(f"/{name}?", "/postgres?"))
        try:
            await connection.execute(sql.format(name=name))
        finally:
            await connection.close()


def announce_end(connection: asyncpg.Connection) -> None:
    """Send the server's last word on a connection that it terminates; the close itself comes later."""
    fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
    connection._protocol.data_received(b"E" + struct.pack("!i", len(fields) + 4) + fields)  # noqa: SLF001


async def announce_end_to_pool(engine: PooledPostgresEngine) -> None:
    """Send it to the connection that the next statement takes."""
    assert engine.pool is not None
    async with engine.pool.acquire() as proxy:
        connection = proxy._con  # noqa: SLF001  The proxy lets go of it at the end.
    announce_end(connection)


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    portal.add_app()
    await portal.install(callbook.url)
    await callbook.settle()
    return portal


@pytest.mark.quick
async def test_events_get_503_while_the_database_is_away(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock
) -> None:
    outage = Outage(callbook)
    await installed.end_call()
    assert (await callbook.client.get("/readyz")).status_code == 200
    await outage.begin()
    lost = await installed.end_call()
    clock.advance(PROBED_FOR_S)
    assert lost.response.status_code == 503
    assert int(lost.response.headers["Retry-After"]) > 0
    ready = await callbook.client.get("/readyz")
    assert (ready.status_code, ready.json()["problems"][0]) == (503, "storing_fails")
    assert (await callbook.client.get("/healthz")).status_code == 200
    await outage.end()
    clock.advance(PROBED_FOR_S)
    assert (await installed.end_call()).response.status_code == 200
    assert (await callbook.client.get("/readyz")).status_code == 200
    assert (await callbook.run_sql("SELECT COUNT(*) AS n FROM calls"))[0]["n"] == 2


async def test_a_busy_pool_turns_no_event_away(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = callbook.parts.database.engine
    if not isinstance(engine, PooledPostgresEngine):
        return
    assert engine.pool is not None
    await installed.end_call()
    monkeypatch.setattr("app.web.health.READ_TIMEOUT_S", 0.05)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(POOL_SIZE):
            await stack.enter_async_context(engine.pool.acquire())
        ready = await callbook.client.get("/readyz")
    assert (ready.status_code, ready.json()["problems"]) == (200, [])


async def test_pages_and_unknown_senders_get_503_too(callbook: Callbook, installed: StandInPortal) -> None:
    if callbook.parts.database.is_sqlite:
        return  # On that database only writes fail, and these only read.
    outage = Outage(callbook)
    await outage.begin()
    assert (await installed.open_page("/")).status_code == 503
    body = f"event=ONVOXIMPLANTCALLEND&data[CALL_ID]=x&auth[member_id]={'0' * 32}&auth[application_token]=x"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await callbook.client.post("/events", content=body, headers=headers)).status_code == 503
    await outage.end()
    assert (await installed.open_page("/")).status_code == 200


async def test_a_connection_that_is_about_to_close_costs_a_503_and_is_given_up(
    callbook: Callbook, installed: StandInPortal
) -> None:
    """In CI this was a 500: asyncpg raises InternalClientError between the server's last word and its
    close.
    """
    engine, inserter = callbook.parts.database.engine, callbook.parts.ingest.inserter
    if not isinstance(engine, PooledPostgresEngine) or not isinstance(inserter, PostgresInserter):
        return
    await installed.end_call()
    await announce_end_to_pool(engine)
    assert (await installed.open_page("/")).status_code == 503
    await announce_end_to_pool(engine)
    body = f"event=ONVOXIMPLANTCALLEND&data[CALL_ID]=x&auth[member_id]={'0' * 32}&auth[application_token]=x"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await callbook.client.post("/events", content=body, headers=headers)).status_code == 503
    assert inserter.connection is not None
    announce_end(inserter.connection)
    assert (await installed.end_call()).response.status_code == 503
    assert (await installed.end_call()).response.status_code == 200
    assert (await installed.open_page("/")).status_code == 200
