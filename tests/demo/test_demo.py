"""`python -m app.demo`: the same portal in a second run, calls that arrive, keys of its own."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from app.demo import __main__ as demo
from app.demo.callbook import choose_port, load_keys, run_callbook
from app.demo.core.listener import listen
from app.demo.core.state import EventBinding
from app.demo.saved_state import load_state
from tests.patience import PATIENCE_S


class FakeCallbook:
    """Takes the place of the real process: it binds its event itself, and stops the demo after some calls."""

    def __init__(self, folder: Path) -> None:
        self.events: list[str] = []
        self.paths: list[str] = []
        self.folder = folder
        self.stop = asyncio.Event()
        self.environment: Mapping[str, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"].decode()
        self.paths.append(scope["path"])
        self.events += parse_qs(body).get("event", [])
        if self.events.count("ONVOXIMPLANTCALLEND") >= 3:
            self.stop.set()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @asynccontextmanager
    async def run(self, environment: Mapping[str, str], port: int) -> AsyncIterator[str]:
        self.environment = environment
        listener = await listen(self)
        yield f"http://127.0.0.1:{listener.port}"
        await listener.stop()


async def run_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCallbook:
    fake = FakeCallbook(folder)
    monkeypatch.setattr(demo, "run_callbook", fake.run)
    install = demo.install

    async def install_and_bind(portal: Any, app_url: str) -> None:
        await install(portal, app_url)
        handler = f"{app_url}/events"
        portal.installation.events[:] = [EventBinding(id=1, event="ONVOXIMPLANTCALLEND", handler=handler)]

    monkeypatch.setattr(demo, "install", install_and_bind)
    for name in ("OAUTH", "PORTAL", "APP"):
        monkeypatch.setenv(f"DEMO_{name}_PORT", "0")
    arguments = argparse.Namespace(folder=folder, pace=0.001, days=2)
    async with asyncio.timeout(PATIENCE_S):
        await demo.run_demo(arguments, fake.stop)
    monkeypatch.undo()
    return fake


async def test_a_second_run_finds_the_same_portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "demo"
    first = await run_once(folder, monkeypatch)
    before = load_state(folder / "stand-in.json").portals[0]
    assert first.paths[:2] == ["/install", "/events"]
    assert first.events[0] == "ONAPPINSTALL"
    assert first.environment["B24_ALLOW_PRIVATE_PORTALS"] == "1"
    second = await run_once(folder, monkeypatch)
    after = load_state(folder / "stand-in.json").portals[0]
    assert after.member_id == before.member_id
    assert len(after.statistics) > len(before.statistics) > 10
    assert second.environment["B24_CLIENT_SECRET"] == first.environment["B24_CLIENT_SECRET"]
    assert (folder / "stand-in.json").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_keys_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    keys = load_keys(tmp_path / "keys.json")
    assert load_keys(tmp_path / "keys.json") == keys
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


def test_what_an_older_demo_left_open_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("keys.json", "callbook.sqlite3"):
        (tmp_path / name).touch(0o644)
    demo.prepare_folder(tmp_path)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path, *tmp_path.iterdir())} == {0}


async def test_a_taken_port_is_replaced() -> None:
    listener = await listen(FakeCallbook(Path()))
    assert choose_port(listener.port) != listener.port
    await listener.stop()


async def test_a_process_that_ends_at_once_is_said_plainly() -> None:
    environment = {"B24_CLIENT_ID": "", "B24_CLIENT_SECRET": ""}
    with pytest.raises(RuntimeError, match="ended while starting"):
        async with run_callbook(environment, 1):
            pass
