"""Jobs, and the lease by which one scheduler acts at a time."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app import scheduler
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.fact_queries import give_lease_back, read_lease, take_lease
from app.portals.outbound.exchange_queries import KEPT_FOR_S
from app.scheduler import (
    JOBS,
    LEASE,
    LEASE_S,
    Starter,
    check_up,
    look_up,
    probe_paused,
    purge,
    read_histories,
    reconcile,
    renew_pairs,
    run_job,
    run_scheduler,
)
from app.wiring import Parts
from tests.portals.portal_rows import read_portal
from tests.running import Callbook, FakeClock

DAY_S = 24 * 3600


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> list[StandInPortal]:
    for portal in stand_in.portals:
        portal.add_app()
        await portal.install(callbook.url)
    await callbook.settle()
    return stand_in.portals


class Counter:
    def __init__(self) -> None:
        self.runs = 0
        self.__name__ = "counting"

    async def __call__(self, parts: Parts) -> None:
        self.runs += 1


@pytest.mark.quick
async def test_one_of_two_acts_until_its_lease_lapses(callbook: Callbook, clock: FakeClock) -> None:
    one, other = Counter(), Counter()
    for _ in range(3):
        await run_job(callbook.parts, "one", one)
        await run_job(callbook.parts, "other", other)
        clock.advance(LEASE_S - 1)
    assert (one.runs, other.runs) == (3, 0)
    clock.advance(1)  # The first was killed, so it renews nothing any more.
    await run_job(callbook.parts, "other", other)
    await run_job(callbook.parts, "one", one)
    assert (one.runs, other.runs) == (3, 1)


async def test_ten_at_once_and_one_acts(callbook: Callbook) -> None:
    counter = Counter()
    await asyncio.gather(*(run_job(callbook.parts, f"holder {number}", counter) for number in range(10)))
    assert counter.runs == 1


async def test_a_lease_is_given_back_by_its_holder_only(callbook: Callbook, clock: FakeClock) -> None:
    assert await take_lease(LEASE, "one", clock.now(), LEASE_S)
    await give_lease_back(LEASE, "other")
    assert not await take_lease(LEASE, "other", clock.now(), LEASE_S)
    await give_lease_back(LEASE, "one")
    assert await take_lease(LEASE, "other", clock.now(), LEASE_S)


async def test_an_orderly_end_lets_the_next_scheduler_begin_at_once(
    callbook: Callbook, clock: FakeClock
) -> None:
    async with run_scheduler(callbook.parts):
        await callbook.settle()
        lease = await read_lease(LEASE)
        assert lease is not None
        assert lease.expires_at == clock.now() + LEASE_S
    await callbook.settle()
    assert await take_lease(LEASE, "next", clock.now(), LEASE_S)


@pytest.mark.quick
async def test_silence_is_told_and_does_not_turn_events_away(callbook: Callbook, clock: FakeClock) -> None:
    async def ask() -> tuple[int, list[str]]:
        answer = await callbook.client.get("/readyz")
        return answer.status_code, answer.json()["problems"]

    assert await ask() == (200, ["scheduler_silent"])
    await run_job(callbook.parts, "one", scheduler.keep_lease)
    assert await ask() == (200, [])
    clock.advance(10 * LEASE_S)
    assert await ask() == (200, ["scheduler_silent"])


async def test_every_job_runs_on_an_empty_and_on_a_full_database(
    callbook: Callbook, installed: list[StandInPortal]
) -> None:
    with capture_logs() as logs:
        for job, _ in JOBS:
            await run_job(callbook.parts, "one", job)
            await callbook.settle()
    assert [entry for entry in logs if entry["log_level"] in {"warning", "error"}] == []


@pytest.fixture
def every_job_is_due(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    ran: list[str] = []

    async def note(parts: Parts, holder: str, job: scheduler.Job) -> None:
        ran.append(job.__name__)

    monkeypatch.setattr(scheduler, "run_job", note)
    return ran


async def test_the_lease_is_kept_far_more_often_than_it_lapses(
    every_job_is_due: list[str], callbook: Callbook
) -> None:
    intervals = {job.__name__: interval_s for job, interval_s in JOBS}
    assert intervals["keep_lease"] * 1.2 * 3 < LEASE_S
    async with run_scheduler(callbook.parts):
        await callbook.settle()
    assert every_job_is_due == ["keep_lease"]  # At once, so that the health check need not wait for a turn.


async def test_exchanges_are_kept_for_three_days_and_gone_after_seven(
    callbook: Callbook, installed: list[StandInPortal], clock: FakeClock
) -> None:
    async def count() -> int:
        number: int = (await callbook.run_sql("SELECT COUNT(*) AS n FROM rest_exchanges"))[0]["n"]
        return number

    first = await count()
    assert first > 0
    clock.advance(3 * DAY_S)
    await purge(callbook.parts)
    assert await count() == first
    clock.advance(KEPT_FOR_S - 3 * DAY_S + 1)
    await purge(callbook.parts)
    assert await count() == 0
    assert KEPT_FOR_S == 7 * DAY_S


async def test_one_pair_that_does_not_open_keeps_no_other_from_being_renewed(
    callbook: Callbook, stand_in: StandIn, installed: list[StandInPortal], clock: FakeClock
) -> None:
    rows = [await read_portal(callbook, portal.member_id) for portal in installed]
    await queries.update_locked(rows[0]["id"], {"access_token": rows[1]["access_token"], "renew_at": 0})
    clock.advance(27 * DAY_S)
    with capture_logs() as logs:
        await run_job(callbook.parts, "one", renew_pairs)
        await callbook.settle()
    assert installed[1].counts["oauth.refresh"] == 1
    assert [entry["portal_id"] for entry in logs if entry["log_level"] == "error"] == [rows[0]["id"]]


@pytest.mark.parametrize("job", [check_up, look_up, probe_paused, read_histories, reconcile])
async def test_one_portal_s_unexpected_fault_ends_no_job_for_the_others(
    callbook: Callbook, installed: list[StandInPortal], clock: FakeClock, job: scheduler.Job
) -> None:
    rows = [await read_portal(callbook, portal.member_id) for portal in installed]
    clock.advance(60)
    for turn, row in enumerate(rows):
        due: dict[str, object] = {"lookup_wanted_at": turn, "checked_at": turn}
        if job is probe_paused:
            due |= {"contact_state": "payment_required", "contact_retry_at": turn}
        await queries.update_locked(row["id"], due)
    if job is read_histories:
        await callbook.run_sql(
            "UPDATE statistics_marks SET history_state = 'running', low_id = bottom_id + 1"
        )
    sealed_elsewhere = {"access_token": rows[1]["access_token"]}
    await queries.update_locked(rows[0]["id"], sealed_elsewhere)
    before = [portal.counts["rest"] for portal in installed]
    with capture_logs() as logs:
        await run_job(callbook.parts, "one", job)
        await callbook.settle()
        await callbook.settle()
    asked = [portal.counts["rest"] - count for portal, count in zip(installed, before, strict=True)]
    assert asked[0] == 0 < asked[1]
    assert {entry["portal_id"] for entry in logs if entry["log_level"] == "error"} == {rows[0]["id"]}


@pytest.mark.parametrize("trouble", [{"code": "payment_required"}, {"network": "503"}])
async def test_a_renewal_that_fails_waits_for_hours_and_lets_others_go_first(
    callbook: Callbook,
    stand_in: StandIn,
    installed: list[StandInPortal],
    clock: FakeClock,
    trouble: dict[str, str],
) -> None:
    stand_in.fail("oauth.refresh", portal=installed[0], **trouble)  # type: ignore[arg-type]
    clock.advance(27 * DAY_S)
    for _ in range(8):
        await run_job(callbook.parts, "one", renew_pairs)
        await callbook.settle()
        clock.advance(900)
    assert [portal.counts["oauth.refresh"] for portal in installed] == [1, 1]
    assert (await read_portal(callbook, installed[0].member_id))["token_state"] == "ok"
    stand_in.heal()
    clock.advance(DAY_S)
    await run_job(callbook.parts, "one", renew_pairs)
    await callbook.settle()
    assert installed[0].counts["oauth.refresh"] == 2


class Slow:
    """Replaces `run_job`; a turn ends when the test lets it."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.turns = self.ended = 0

    async def __call__(self, parts: Parts, holder: str, job: scheduler.Job) -> None:
        self.turns += 1
        self.begun.set()
        await self.may_end.wait()
        self.ended += 1


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    monkeypatch.setattr(scheduler, "run_job", slow)
    return slow


async def test_a_job_does_not_begin_while_its_last_turn_runs(callbook: Callbook, slow: Slow) -> None:
    starter = Starter(callbook.parts, "me")
    starter.begin("purge")
    await slow.begun.wait()
    for _ in range(3):
        starter.begin("purge")
    slow.may_end.set()
    await callbook.settle()
    assert slow.turns == 1
    starter.begin("purge")
    await callbook.settle()
    assert slow.turns == 2


async def test_what_runs_when_the_scheduler_ends_is_finished(callbook: Callbook, slow: Slow) -> None:
    async with run_scheduler(callbook.parts):
        await slow.begun.wait()
    slow.may_end.set()
    await callbook.settle()
    assert slow.ended == slow.turns == 1
