"""Callbook as a process of its own beside the stand-in, started as an operator starts it."""

import asyncio
import base64
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


def load_keys(path: Path) -> dict[str, str]:
    """The throw-away keys of this demo, made at its first run: client id and secret, encryption keys."""
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    keys = {
        "B24_CLIENT_ID": f"local.{secrets.token_hex(7)}.{secrets.randbelow(90000000) + 10000000}",
        "B24_CLIENT_SECRET": secrets.token_urlsafe(37),
        "ENCRYPTION_KEYS": f"demo:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(keys))
    return keys


def choose_port(wanted: int) -> int:
    """The wanted port, or a free one when that is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise OSError("no free port on 127.0.0.1")


@asynccontextmanager
async def run_callbook(environment: Mapping[str, str], port: int) -> AsyncIterator[str]:
    """Run `python -m app serve` until the block ends; gives its address once /readyz answers 200.

    Raises RuntimeError when the process ends before it is ready, or is not ready within a minute.
    docs/interface.md lists the variables of `environment`.
    """
    url = f"http://127.0.0.1:{port}"
    mine = {**os.environ, **environment, "APP_URL": url, "HOST": "127.0.0.1", "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "serve", env=mine, start_new_session=True
    )
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await _wait_until_ready(process, url)
        yield url
    except TimeoutError as error:
        raise RuntimeError("Callbook was not ready within a minute; its own lines above say why.") from error
    finally:
        await _stop(process)


async def _wait_until_ready(process: asyncio.subprocess.Process, url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            if process.returncode is not None:
                raise RuntimeError("Callbook ended while starting; its own lines above say why.")
            try:
                if (await client.get(f"{url}/readyz")).is_success:
                    return
            except httpx.TransportError:  # It does not listen yet.
                pass
            await asyncio.sleep(0.1)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask the process to end; kill it when it does not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
