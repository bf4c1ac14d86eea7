"""A database that is away costs a 503, never an event that was answered 200, and it heals by itself."""

import contextlib
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.calls.ingest import PROBED_FOR_S
from app.demo.portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.postgres_engine import POOL_SIZE, PooledPostgresEngine
from app.kit.sqlite_engine import KeptSQLiteEngine
from tests.running import Callbook, FakeClock


class Outage:
    """Takes the database away and gives it back, as seen by Callbook."""

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
        """As on a full or broken disk: every write fails."""
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


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    portal.add_app()
    await portal.install(callbook.url)
    await callbook.settle()
    return portal


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
        return  # Only writes fail there, and these only read.
    outage = Outage(callbook)
    await outage.begin()
    assert (await installed.open_page("/")).status_code == 503
    body = f"event=ONVOXIMPLANTCALLEND&data[CALL_ID]=x&auth[member_id]={'0' * 32}&auth[application_token]=x"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await callbook.client.post("/events", content=body, headers=headers)).status_code == 503
    await outage.end()
    assert (await installed.open_page("/")).status_code == 200
