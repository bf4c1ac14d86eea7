"""No portal makes a job wait: each job in JOBS gives each portal that is due a turn of its own."""

import asyncio

import pytest
from litestar.status_codes import HTTP_202_ACCEPTED

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.absence import uninstall_queries
from app.scheduler import (
    JOBS,
    Job,
    checkpoint,
    end_silent,
    erase_due,
    keep_lease,
    probe_paused,
    purge,
    read_histories,
    recount,
    retain,
    run_job,
    sweep,
    verify_pending,
)
from tests.patience import PATIENCE_S
from tests.portals.portal_rows import read_portal
from tests.running import Callbook, FakeClock

ASK_NOBODY = {checkpoint, end_silent, erase_due, keep_lease, purge, recount, retain, sweep}
ASKING = [job for job, _ in JOBS if job not in ASK_NOBODY]


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> list[StandInPortal]:
    for portal in stand_in.portals:
        portal.add_app()
        await portal.install(callbook.url)
    await callbook.settle()
    return stand_in.portals


async def make_due(callbook: Callbook, portals: list[StandInPortal], clock: FakeClock, job: Job) -> None:
    """Make work for every job due, that of the first portal first."""
    for turn, portal in enumerate(portals):
        row = await read_portal(callbook, portal.member_id)
        due: dict[str, object] = {"lookup_wanted_at": turn, "checked_at": turn, "renew_at": turn}
        if job is probe_paused:
            due |= {"contact_state": "payment_required", "contact_retry_at": turn}
        await queries.update_locked(row["id"], due)
        await uninstall_queries.note_uninstall(row["id"], row["generation"], clock.now(), is_clean=False)
    if job is verify_pending:
        away = portals[0].stand_in.fail("app.info", network="drop")
        for portal in portals:
            assert (await portal.update_event()).status_code == HTTP_202_ACCEPTED
        away.cancel()
        clock.advance(60)
    if job is read_histories:
        await callbook.run_sql(
            "UPDATE statistics_marks SET history_state = 'running', low_id = bottom_id + 1"
        )


@pytest.mark.parametrize("job", ASKING, ids=[job.__name__ for job in ASKING])
async def test_a_portal_that_never_answers_delays_neither_the_next_one_nor_the_job(
    callbook: Callbook, stand_in: StandIn, installed: list[StandInPortal], clock: FakeClock, job: Job
) -> None:
    clock.advance(60)
    await make_due(callbook, installed, clock, job)
    silent, other = installed
    gates = {
        portal.member_id: [
            stand_in.hold(operation, when="before", portal=portal)
            for operation in ("rest", "oauth.refresh", "app.info")
        ]
        for portal in (silent, other)
    }
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(2):
            await run_job(callbook.parts, "one", job)
        for portal in (silent, other):
            asked = [asyncio.create_task(gate.reached()) for gate in gates[portal.member_id]]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            for waiting in asked:
                waiting.cancel()
        await run_job(callbook.parts, "one", job)
    assert sum(gate.arrivals for gate in gates[silent.member_id]) == 1  # No portal has two turns at once.
    stand_in.heal()
    await callbook.settle()
