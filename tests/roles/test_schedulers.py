"""Two schedulers as processes: one acts, and the other takes over when the first is killed."""

import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from app.kit.storage.database import Database
from tests.commands.running import make_environment
from tests.roles.living import run_role, wait_for_rows

HELD = "SELECT holder FROM leases WHERE name = 'scheduler' AND expires_at > 1"


async def read_holder(database: Database) -> Any:
    return (await wait_for_rows(database, HELD))[0]["holder"]


async def test_the_second_takes_over_when_the_first_is_killed(tmp_path: Path, postgres_url: str) -> None:
    environment = make_environment(postgres_url)
    database = Database(postgres_url)
    await database.open()
    try:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(run_role("scheduler", environment, tmp_path))
            holder = await read_holder(database)
            second = await stack.enter_async_context(run_role("scheduler", environment, tmp_path))
            assert await second.stop() == 0  # It ended in order, and gave back no lease but its own.
            assert await read_holder(database) == holder
            assert await first.stop(signal.SIGKILL) == -signal.SIGKILL
            assert await read_holder(database) == holder  # No scheduler acts until the lease expires.
            await database.run("UPDATE leases SET expires_at = 1")
            third = await stack.enter_async_context(run_role("scheduler", environment, tmp_path))
            assert await read_holder(database) != holder
            assert await third.stop() == 0
            # The lease is given back, so that the next can begin at once.
            assert await database.run(HELD) == []
    finally:
        await database.close()
