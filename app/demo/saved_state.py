"""The stand-in's state in a file, so that a second run finds the same portal."""

import asyncio
import os
from pathlib import Path

import msgspec

from app.demo.core.state import StandInState
from app.demo.core.tokens import TokenBook

SAVE_EVERY_S = 5


def load_state(path: Path) -> StandInState:
    """The state of the last run, or an empty one when there was none."""
    if not path.exists():
        return StandInState()
    return msgspec.json.decode(path.read_bytes(), type=StandInState)


def save_state(path: Path, state: StandInState, tokens: TokenBook) -> None:
    """Write the state in one step, readable for the owner alone, because it holds tokens."""
    for portal in state.portals:
        tokens.forget_expired(portal)
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(state))
    draft.replace(path)


async def keep_saving(path: Path, state: StandInState, tokens: TokenBook) -> None:
    """Save every few seconds until cancelled."""
    while True:
        await asyncio.sleep(SAVE_EVERY_S)
        save_state(path, state, tokens)
