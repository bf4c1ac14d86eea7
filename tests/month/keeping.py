"""Keeps one Callbook process running beside the stand-in: starts it, gives it turns, kills it."""

import asyncio
import sys
from pathlib import Path

import httpx

from app.demo.stand_in import StandIn
from tests.commands.running import ROOT, make_environment
from tests.month.clock import SharedClock
from tests.patience import PATIENCE_S, wait_until
from tests.ports import free_port


class Keeper:
    """The process and its address, which stays the same, because the portal's handlers are bound to it."""

    def __init__(self, database_url: str, stand_in: StandIn, clock: SharedClock, log: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        port = self.url.rpartition(":")[2]
        # The tests' packages cause warnings.
        changes = {"APP_URL": self.url, "PORT": port, "PYTHONWARNINGS": None}
        self._environment = make_environment(database_url, stand_in, **changes)
        self._clock = clock
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._http = httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S, trust_env=False)
        self.unexpected: list[str] = []

    @property
    def is_running(self) -> bool:
        return self._process is not None

    async def start(self) -> None:
        """Start the process, and return when it answers."""
        arguments = ("-m", "tests.month.process", str(self._clock.path))
        with self._log.open("a") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, cwd=ROOT, env=self._environment, stdout=output, stderr=output
            )
        await wait_until(self._has_begun)

    async def turn(self) -> None:
        """Run every job whose interval has passed; a killed process runs none."""
        if self.is_running:
            answer = await self._http.post("/turn")
            self.unexpected += answer.json()

    async def let_end(self) -> None:
        """Return when all its background work has ended."""
        if self.is_running:
            await self._http.post("/quiet")

    async def kill(self) -> None:
        """End the process as a power cut would."""
        if self._process is not None:
            process, self._process = self._process, None
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """Kill the process for good."""
        await self.kill()
        await self._http.aclose()

    async def _has_begun(self) -> bool:
        """Raises AssertionError with the last lines of its log when the process has ended instead."""
        assert self._process is not None
        assert self._process.returncode is None, self._log.read_text()[-4000:]
        return await self._is_answering()

    async def _is_answering(self) -> bool:
        try:
            return (await self._http.get("/healthz")).is_success
        except httpx.TransportError:
            return False
