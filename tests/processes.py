"""Callbook as processes of its own, for tests of a whole process: kill -9, memory, speed."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.kit.clock import SystemClock
from app.kit.crypto import Keyring
from app.kit.storage.database import Database
from app.portals import queries
from app.portals.vault import Vault
from app.tables import TABLES
from tests.databases import KEYS
from tests.load import Sender
from tests.ports import free_port

START_S = 30
ROOT = Path(__file__).parent.parent


async def insert_sender(database_url: str) -> Sender:
    """Insert an installed portal whose events are accepted."""
    database = Database(database_url, TABLES)
    await database.open()
    try:
        vault = Vault(Keyring.parse(KEYS), SystemClock())
        await vault.open()
        sender = Sender(secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(16))
        row = await queries.make_row(sender.member_id)
        token_hash = vault.hash_application_token(sender.application_token)
        await queries.update_locked(
            row["id"], {"state": "installed", "generation": 1, "application_token_hash": token_hash}
        )
    finally:
        await database.close()
    return sender


def make_environment(database_url: str, port: int) -> dict[str, str]:
    """The environment that `python -m app` needs, without this machine's settings."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "B24_CLIENT_ID": "app.callbook.1",
        "B24_CLIENT_SECRET": "throw-away",
        "APP_URL": "https://callbook.example.com",
        "ENCRYPTION_KEYS": KEYS,
        "DATABASE_URL": database_url,
        "B24_OAUTH_SERVERS": "http://127.0.0.1:9",
        "PORT": str(port),
        "LOG_LEVEL": "warning",
    }


@contextlib.contextmanager
def run_process(
    arguments: Sequence[str], environment: dict[str, str], port: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on the port while the context lasts; it may be killed inside."""
    process = subprocess.Popen([sys.executable, *arguments], env=environment, cwd=ROOT)
    try:
        _wait_until_listening(process, port)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(START_S)


@contextlib.contextmanager
def run_serve(database_url: str, *, module: str = "app") -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`python -m app serve`, and the port that it listens on."""
    port = free_port()
    with run_process(["-m", module, "serve"], make_environment(database_url, port), port) as process:
        yield process, port


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            raise AssertionError("the process has ended while starting")
    raise AssertionError("the process does not listen")
