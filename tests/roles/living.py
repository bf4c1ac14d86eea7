"""Callbook's roles as real processes beside the stand-in, and helpers for tests of them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.demo.acts.stand_in_portal import StandInPortal
from app.kit.storage.database import Database
from tests.commands.running import start_command
from tests.patience import PATIENCE_S, wait_until
from tests.ports import free_port


@dataclass
class Role:
    """One process; `output` is all that it has written so far."""

    process: asyncio.subprocess.Process
    log: Path
    url: str

    @property
    def output(self) -> str:
        return self.log.read_text()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; return the exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


@asynccontextmanager
async def run_role(
    name: str, environment: Mapping[str, str], folder: Path, module: str = "app"
) -> AsyncIterator[Role]:
    """A `serve` or `web` process that answers, or a `scheduler` that runs; killed at the end if it still
    runs.
    """
    number = sum(1 for _ in folder.glob("*.log"))
    log = folder / f"{number}-{name}.log"
    port = free_port()
    file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        url = f"http://127.0.0.1:{port}"
        settings = dict(environment) | {"PORT": str(port), "APP_URL": url}
        async with start_command(settings, name, stdout=file, module=module) as process:
            role = Role(process, log, url)
            await (wait_until_started(role) if name == "scheduler" else wait_until_alive(role))
            yield role
    finally:
        os.close(file)


async def wait_until_alive(role: Role) -> None:
    async with httpx.AsyncClient(base_url=role.url, trust_env=False) as client:

        async def is_alive() -> bool:
            assert role.process.returncode is None, role.output
            try:
                return (await client.get("/healthz")).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        await wait_until(is_alive)


async def wait_until_started(role: Role) -> None:
    def is_started() -> bool:
        assert role.process.returncode is None, role.output
        return "scheduler started" in role.output

    await wait_until(is_started)


async def wait_for_rows(database: Database, sql: str, *args: object) -> list[dict[str, Any]]:
    """Repeat the query until another process has written the rows that it finds; return them."""
    rows: list[dict[str, Any]] = []

    async def are_written() -> bool:
        rows[:] = await database.run(sql, *args)
        return bool(rows)

    await wait_until(are_written)
    return rows


async def open_session(portal: StandInPortal, url: str) -> httpx.AsyncClient:
    """A client, not open yet, with a session of the portal's administrator at one process."""
    body = {"member_id": portal.member_id, "auth_id": portal.issue_pair().access_token}
    answer = await portal.stand_in.http.post(f"{url}/session", json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    return httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False, headers=headers)


def aim(portal: StandInPortal, url: str) -> None:
    """Send pages and events to this process from now on."""
    portal.stand_in.app_url = url
    for binding in portal.installation.events:
        binding.handler = f"{url}/events"


async def install(portal: StandInPortal, url: str, database_url: str) -> None:
    assert (await portal.install(url)).status_code == httpx.codes.OK
    database = Database(database_url)
    await database.open()
    try:
        await wait_for_rows(
            database,
            "SELECT 1 AS n FROM portals WHERE setup LIKE '%placement%' AND setup NOT LIKE '%running%'",
        )
    finally:
        await database.close()
