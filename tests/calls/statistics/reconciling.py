"""One turn of the reconciliation at a time, and the calls that it brings."""

from typing import Any

from app.demo.acts.stand_in_portal import StandInPortal
from app.scheduler import reconcile, run_job
from tests.calls.statistics_rows import install, list_stored, read_mark
from tests.running import Callbook

HOUR = 3600
DAY = 24 * HOUR


async def turn(callbook: Callbook) -> None:
    """Let ten seconds pass: notes are written, and the scheduler has its turn."""
    await callbook.parts.evidence.flush()
    await run_job(callbook.parts, "one", reconcile)
    await callbook.settle()


async def install_and_read(callbook: Callbook, portal: StandInPortal) -> None:
    """Install the portal and end the first read of new rows."""
    await install(callbook, portal)
    await turn(callbook)
    assert (await read_mark(portal)).looked_at is not None


async def is_logged(callbook: Callbook, call_id: str) -> bool:
    return call_id in (await list_stored(callbook))[0]


async def read_call(callbook: Callbook, call_id: str) -> dict[str, Any]:
    (row,) = await callbook.run_sql(f"SELECT * FROM calls WHERE call_id = '{call_id}'")
    return row
