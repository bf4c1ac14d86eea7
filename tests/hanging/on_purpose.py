"""Two tests that hang and one that does not. No run collects this file; `test_hanging.py` names it."""

import asyncio
import time

ALARM_S = 3600


async def test_waits_for_an_event_that_nobody_sets() -> None:
    never = asyncio.Event()
    await never.wait()


def test_sleeps() -> None:
    time.sleep(ALARM_S)


def test_ends() -> None:
    pass
