import asyncio

import pytest
from structlog.testing import capture_logs

from app.kit.fairness.background import Background


async def test_a_shutdown_waits_for_what_runs_and_for_what_that_begins() -> None:
    background, done, go = Background(), [], asyncio.Event()

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        await go.wait()
        background.spawn("second", second())
        done.append("first")

    background.spawn("first", first())
    drained = asyncio.create_task(background.drain(30))
    await asyncio.sleep(0)
    assert not drained.done()
    go.set()
    await drained
    assert done == ["first", "second"]


async def test_what_takes_too_long_is_cancelled_and_told() -> None:
    background = Background()
    task = background.spawn("endless", asyncio.Event().wait())
    with capture_logs() as logs:
        await background.drain(0.01)
    assert task.cancelled()
    assert [entry["task"] for entry in logs] == ["endless"]


async def test_a_failure_is_logged_and_fails_nothing_else() -> None:
    background = Background()

    async def fail() -> None:
        raise RuntimeError("broken")

    async def work() -> str:
        return "well"

    with capture_logs() as logs:
        background.spawn("bad", fail())
        good = background.spawn("good", work())
        await background.drain(5)
    assert good.result() == "well"
    assert [(entry["task"], str(entry["exc_info"])) for entry in logs] == [("bad", "broken")]


async def test_a_caller_that_awaits_a_task_gets_its_failure_too() -> None:
    background = Background()

    async def fail() -> None:
        raise RuntimeError("broken")

    with capture_logs(), pytest.raises(RuntimeError, match="broken"):
        await background.spawn("bad", fail())
