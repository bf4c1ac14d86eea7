"""`python -m app …` as a process of its own, with an environment of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.demo.stand_in import StandIn
from tests.databases import KEYS
from tests.patience import PATIENCE_S
from tests.running import CLIENT_ID, CLIENT_SECRET

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Completed:
    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err

    def refusal(self) -> str:
        """The one clear line of a command that refused to run."""
        lines = self.err.splitlines()
        assert (self.code, len(lines), self.out) == (1, 1, ""), self.all
        return lines[0]


def make_environment(
    database_url: str, stand_in: StandIn | None = None, **changes: str | None
) -> dict[str, str]:
    environment: dict[str, str | None] = {
        "PATH": os.environ["PATH"],
        "PYTHONWARNINGS": "error",
        "B24_CLIENT_ID": CLIENT_ID,
        "B24_CLIENT_SECRET": CLIENT_SECRET,
        "APP_URL": "http://127.0.0.1:1",
        "ENCRYPTION_KEYS": KEYS,
        "DATABASE_URL": database_url,
        "B24_OAUTH_SERVERS": stand_in.oauth_origin if stand_in else "http://127.0.0.1:9",
        "B24_ALLOW_HTTP_PORTALS": "1",
        "B24_ALLOW_PRIVATE_PORTALS": "1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "LOG_FORMAT": "json",
    }
    return {name: value for name, value in (environment | changes).items() if value is not None}


async def run_command(environment: Mapping[str, str], *arguments: str) -> Completed:
    """Run the command to its end."""
    async with start_command(environment, *arguments) as process, asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Completed(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def start_command(
    environment: Mapping[str, str],
    *arguments: str,
    stdout: int = asyncio.subprocess.PIPE,
    module: str = "app",
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command while the context lasts; then kill all that is left of it, its children too."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        cwd=ROOT,
        env=dict(environment),
        stdout=stdout,
        stderr=stdout if stdout != asyncio.subprocess.PIPE else asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
