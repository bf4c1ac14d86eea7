"""`portals sync`, and the history in `portals show` after it."""

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from app.portals.settings.quotas import USUAL
from tests.calls.statistics_rows import fill, install
from tests.commands.running import make_environment, run_command
from tests.running import Callbook, FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """The machine's time, as the commands use it."""
    return FakeClock(SystemClock().now())


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    """An installed portal whose history is not read yet."""
    portal = stand_in.portals[0]
    await install(callbook, portal)
    await callbook.run_sql("DELETE FROM statistics_marks")
    fill(portal, range(1, 701))
    return portal


async def test_sync_reads_all_the_history_and_show_tells_of_it(
    database_url: str, stand_in: StandIn, callbook: Callbook, portal: StandInPortal
) -> None:
    environment = make_environment(database_url, stand_in)
    before = await run_command(environment, "portals", "show", portal.member_id)
    assert "history: pending\ncomplete_up_to: None\n" in before.out
    done = await run_command(environment, "portals", "sync", portal.member_id)
    assert done.code == 0, done.all
    assert len(await callbook.run_sql("SELECT id FROM calls")) == 700
    shown = await run_command(environment, "portals", "show", portal.member_id)
    assert "history: complete\n" in shown.out
    assert "history_done: 700\nhistory_total: 700\n" in shown.out
    assert "limited: None\n" in shown.out
    assert "+00:00\n" in shown.out.partition("complete_up_to: ")[2]


async def test_statistics_that_cannot_be_relied_on_are_told_in_one_line(
    database_url: str, stand_in: StandIn, callbook: Callbook, portal: StandInPortal
) -> None:
    stand_in.fail("voximplant.statistic.get", code="ACCESS_DENIED", status=403, portal=portal)
    environment = make_environment(database_url, stand_in)
    done = await run_command(environment, "portals", "sync", portal.member_id)
    assert "access_denied" in done.err.splitlines()[-1]
    assert (done.code, done.out, "Traceback" in done.err) == (1, "", False)
    shown = await run_command(environment, "portals", "show", portal.member_id)
    assert "history: failed\n" in shown.out
    assert "history_failure: access_denied\n" in shown.out


async def test_a_full_quota_is_told_in_one_line(
    database_url: str, stand_in: StandIn, callbook: Callbook, portal: StandInPortal
) -> None:
    await callbook.run_sql(
        "INSERT INTO portal_usage (portal_id, row_count, text_bytes, counted_at)"
        f" SELECT id, {USUAL.rows}, 0, 1 FROM portals WHERE true"
        " ON CONFLICT (portal_id) DO UPDATE SET row_count = EXCLUDED.row_count"
    )
    environment = make_environment(database_url, stand_in)
    done = await run_command(environment, "portals", "sync", portal.member_id)
    assert "no more room" in done.err.splitlines()[-1]
    assert (done.code, done.out, "Traceback" in done.err) == (1, "", False)
