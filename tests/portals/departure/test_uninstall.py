import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.bitrix24.rest.oauth import _TOTAL_S as TOTAL_S
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.absence import uninstall_queries
from app.portals.absence.uninstall_queries import CHECK_LEASE_S
from app.portals.departure.erasure import CALLS_KEPT_S
from app.portals.tokens.refresh import LEASE_S
from app.portals.tokens.refresh_budget import REST_S
from app.scheduler import check_uninstalls
from tests.portals.portal_rows import count, read_portal
from tests.running import Callbook, FakeClock

OF_THE_PAIR = (
    *("access_token", "refresh_token", "token_version", "access_expires_at", "pair_stored_at"),
    *("pair_bought_at", "pair_dated_at", "renew_at", "refresh_lease_id", "refresh_lease_until"),
)


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    for portal in stand_in.portals:
        portal.add_app()
        await portal.install(callbook.url)
    await callbook.settle()
    return stand_in.portals[0]


@pytest.mark.quick
async def test_proven_with_clean_erases_everything_of_this_portal_only(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    other = stand_in.portals[1]
    await installed.end_call()
    await other.end_call()
    answer = await installed.uninstall(clean=True)
    assert answer is not None
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    await callbook.settle()
    assert await count(callbook, "calls") == 1
    assert [row["member_id"] for row in await callbook.run_sql("SELECT member_id FROM portals")] == [
        other.member_id
    ]
    assert (await installed.uninstall_event()).status_code == 403


@pytest.mark.quick
async def test_forged_event_changes_nothing_and_is_asked_again(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    await installed.end_call()
    before = await read_portal(callbook, installed.member_id)
    answer = await installed.uninstall_event(clean=True)
    assert (answer.status_code, answer.json()["error"]) == (403, "still_installed")
    asked = stand_in.counts["app.info"]
    for _ in range(50):
        assert (await installed.uninstall_event(clean=True)).status_code == 403
    assert stand_in.counts["app.info"] == asked
    for delay_s in (60, 600, 3600, 24 * 3600):
        clock.advance(delay_s)
        await check_uninstalls(callbook.parts)
        await callbook.settle()
    assert await count(callbook, "uninstall_checks") == 0
    after = await read_portal(callbook, installed.member_id)
    changing = {
        "access_token",
        "refresh_token",
        "token_version",
        "access_expires_at",
        "pair_dated_at",
        "pair_stored_at",
        "pair_bought_at",
        "renew_at",
        "last_event_at",
        "seen_at",
    }
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert await count(callbook, "calls") == 1


async def test_an_uninstall_that_becomes_true_later_is_found(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock
) -> None:
    assert (await installed.uninstall_event(clean=True)).status_code == 403
    await installed.uninstall(send=False)
    clock.advance(60)
    await check_uninstalls(callbook.parts)
    await callbook.settle()
    await callbook.settle()
    assert await count(callbook, "portals") == 1


async def test_server_away_is_pending_and_asked_again(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    rule = stand_in.fail("app.info", network="drop")
    answer = await installed.uninstall(clean=True)
    assert answer is not None
    assert (answer.status_code, answer.json()) == (202, {"status": "pending"})
    assert (await read_portal(callbook, installed.member_id))["state"] == "installed"
    rule.cancel()
    clock.advance(60)
    await check_uninstalls(callbook.parts)
    await callbook.settle()
    await callbook.settle()
    assert await count(callbook, "portals") == 1


@pytest.mark.parametrize("code", ["not_installed", "error_oauth", "application_not_found"])
async def test_each_proof_erases(callbook: Callbook, installed: StandInPortal, code: str) -> None:
    answer = await installed.uninstall(answers={"app.info": (code, 400), "oauth.refresh": (code, 400)})
    assert answer is not None
    assert answer.status_code == 200
    await callbook.settle()
    assert await count(callbook, "portals") == 1


async def test_invalid_client_is_proof_only_while_others_succeed(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    installed.expire_access_tokens()
    everywhere = stand_in.fail("oauth.refresh", code="invalid_client")
    stand_in.fail("app.info", code="expired_token", portal=installed)
    assert (await installed.uninstall_event()).status_code == 202
    assert await count(callbook, "portals") == 2
    everywhere.cancel()
    stand_in.fail("oauth.refresh", code="invalid_client", portal=installed)
    clock.advance(60)
    await check_uninstalls(callbook.parts)
    await callbook.settle()
    await callbook.settle()
    assert await count(callbook, "portals") == 1


@pytest.mark.parametrize("was_healthy", [True, False])
async def test_a_dead_pair_ends_the_installation_and_keeps_its_calls(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, *, was_healthy: bool
) -> None:
    await installed.end_call()
    if not was_healthy:
        await callbook.run_sql("UPDATE portals SET token_state = 'reinstall_needed'")
    answers = {"app.info": ("expired_token", 401), "oauth.refresh": ("invalid_grant", 400)}
    answer = await installed.uninstall(clean=True, answers=answers)
    assert answer is not None
    assert answer.status_code == 200
    await callbook.settle()
    assert await count(callbook, "calls") == 1
    assert (await callbook.run_sql("SELECT COUNT(*) AS n FROM portals WHERE access_token IS NOT NULL"))[0][
        "n"
    ] == 1


async def test_a_restored_database_and_a_forged_uninstall_take_no_calls_and_a_page_heals_it(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock
) -> None:
    """The pair in the backup was spent after the backup. It counts as healthy, but a forged event finds it
    dead.
    """
    await installed.end_call()
    backup = await read_portal(callbook, installed.member_id)
    clock.advance(REST_S)
    installed.expire_access_tokens()
    stored = await queries.find_portal(installed.member_id)
    assert stored is not None
    await callbook.parts.access.call(stored, "user.get", {})
    await queries.update_locked(stored.id, {name: backup[name] for name in OF_THE_PAIR})
    assert (await installed.uninstall_event(clean=True)).status_code == 200
    await callbook.settle()
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["erase_at"]) == ("uninstalled", clock.now() + CALLS_KEPT_S)
    assert (await installed.open_page("/")).status_code == 200
    await callbook.settle()
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["erase_at"], row["id"]) == ("installed", None, stored.id)
    assert await count(callbook, "calls") == 1


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False)])
async def test_a_repeated_event_never_erases_more(
    callbook: Callbook,
    stand_in: StandIn,
    installed: StandInPortal,
    clock: FakeClock,
    *,
    first: bool,
    second: bool,
) -> None:
    """The server is away when the genuine event comes; then a user of the portal sends another, with
    CLEAN.
    """
    await installed.end_call()
    rule = stand_in.fail("app.info", network="drop")
    await installed.uninstall(clean=first)
    assert (await installed.uninstall_event(clean=second)).status_code == 202
    rule.cancel()
    clock.advance(60)
    await check_uninstalls(callbook.parts)
    await callbook.settle()
    await callbook.settle()
    assert (await read_portal(callbook, installed.member_id))["state"] == "uninstalled"
    assert await count(callbook, "calls") == 1


async def test_an_event_that_comes_during_a_check_counts_for_it(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    await installed.end_call()
    gate = stand_in.hold("app.info", when="before", portal=installed, times=1)
    forged = asyncio.create_task(installed.uninstall_event(clean=True))
    await gate.reached()
    answer = await installed.uninstall(clean=False)
    assert answer is not None
    assert answer.status_code == 202
    gate.release()
    assert (await forged).status_code == 200
    await callbook.settle()
    assert await count(callbook, "calls") == 1


async def test_a_lost_refresh_makes_the_pair_prove_nothing(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    """The pair was spent and the answer was lost: a forged event finds it dead, although the app is
    installed.
    """
    await installed.end_call()
    installed.expire_access_tokens()
    stand_in.fail("oauth.refresh", network="drop_after", portal=installed, times=1)
    assert (await installed.uninstall_event(clean=True)).status_code == 202
    for delay_s in (60, 600, 6 * 3600):  # The lost answer counts as a purchase.
        clock.advance(delay_s)
        await check_uninstalls(callbook.parts)
    await callbook.settle()
    await callbook.settle()
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["erase_at"]) == ("uninstalled", clock.now() + CALLS_KEPT_S)
    assert await count(callbook, "calls") == 1


async def test_a_genuine_event_after_a_forgery_is_asked_about_at_once(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    assert (await installed.uninstall_event()).status_code == 403
    for delay_s in (60, 600, 3600):
        clock.advance(delay_s)
        await check_uninstalls(callbook.parts)
        await callbook.settle()
    asked = stand_in.counts["app.info"]
    clock.advance(59)
    assert (await installed.uninstall_event()).status_code == 403
    assert stand_in.counts["app.info"] == asked
    clock.advance(1)
    answer = await installed.uninstall()
    assert answer is not None
    assert answer.status_code == 200


async def test_a_check_s_lease_outlives_the_longest_check() -> None:
    """A check may take: the access token, another process's lease, our own refresh, three witnesses (decision
    0005).
    """
    assert TOTAL_S + LEASE_S + TOTAL_S + 3 * TOTAL_S < CHECK_LEASE_S


async def test_one_check_at_a_time(callbook: Callbook, stand_in: StandIn, installed: StandInPortal) -> None:
    gate = stand_in.hold("app.info", portal=installed)
    first = asyncio.create_task(installed.uninstall_event())
    await gate.reached()
    asked = stand_in.counts["app.info"]
    answers = await asyncio.gather(*(installed.uninstall_event() for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert stand_in.counts["app.info"] == asked
    gate.release()
    assert (await first).status_code == 403


class Writes:
    """Counts the notes of uninstalls and the claims to check them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for name in ("note_uninstall", "take_check"):
            monkeypatch.setattr(uninstall_queries, name, self._counted(getattr(uninstall_queries, name)))

    def _counted(self, write: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def wrapper(*args: object, **named: object) -> object:
            self.count += 1
            return await write(*args, **named)

        return wrapper


async def test_repeated_events_write_nothing_but_a_more_careful_one(
    callbook: Callbook,
    stand_in: StandIn,
    installed: StandInPortal,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The events come before, during and after the check, and many at once."""
    writes, asked = Writes(monkeypatch), stand_in.counts["app.info"]
    for is_clean, written in [(True, 2), (True, 2), (False, 4), (False, 4), (True, 4)]:
        await asyncio.gather(*(installed.uninstall_event(clean=is_clean) for _ in range(20)))
        assert writes.count == written
        noted = await callbook.run_sql("SELECT is_clean FROM uninstall_checks")
        assert bool(noted[0]["is_clean"]) is (written == 2)
    clock.advance(59)
    await installed.uninstall_event()
    assert (writes.count, stand_in.counts["app.info"] - asked) == (4, 1)
    clock.advance(1)
    await asyncio.gather(*(installed.uninstall_event() for _ in range(20)))
    assert (writes.count, stand_in.counts["app.info"] - asked) == (6, 2)


async def test_an_event_that_could_not_be_noted_is_noted_by_the_next_one(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, failures = uninstall_queries.note_uninstall, iter([OSError("the database is away")])

    async def fail_first(*args: Any, **named: Any) -> None:
        await asyncio.sleep(0)
        if (error := next(failures, None)) is not None:
            raise error
        await note(*args, **named)

    monkeypatch.setattr(uninstall_queries, "note_uninstall", fail_first)
    answers = await asyncio.gather(*(installed.uninstall_event() for _ in range(5)))
    assert sum(answer.status_code == 503 for answer in answers) == 1
    assert await count(callbook, "uninstall_checks") == 1


async def test_reinstallation_during_a_check_survives_it(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    gate = stand_in.hold("app.info", when="before", portal=installed, times=1)
    check = asyncio.create_task(installed.uninstall(clean=True))
    await gate.reached()
    clock.advance(1)
    assert (await installed.install(callbook.url)).status_code == 200
    gate.release()
    await check
    await callbook.settle()
    row = await read_portal(callbook, installed.member_id)
    assert (row["state"], row["token_state"]) == ("installed", "ok")
    assert row["access_token"] is not None


async def test_no_contact_after_an_uninstall(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    await installed.uninstall(clean=False)
    before = installed.counts.total()
    assert (await installed.open_page("/")).status_code == 403
    assert (await installed.end_call()).responses == []
    assert (await installed.uninstall_event()).status_code == 403
    await callbook.settle()
    assert installed.counts.total() == before


async def test_a_check_of_an_older_installation_leaves_the_newer_note_alone(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    gate = stand_in.hold("app.info", when="before", portal=installed, times=1)
    old = asyncio.create_task(installed.uninstall_event(clean=False))
    await gate.reached()
    portal_id = (await read_portal(callbook, installed.member_id))["id"]
    await callbook.run_sql(f"UPDATE portals SET generation = generation + 1 WHERE id = {portal_id}")
    await callbook.run_sql(
        "UPDATE uninstall_checks SET generation = generation + 1, is_clean = TRUE, attempts = 0"
        f" WHERE portal_id = {portal_id}"
    )
    gate.release()
    await old
    (note,) = await callbook.run_sql("SELECT generation, attempts, is_clean FROM uninstall_checks")
    assert (note["generation"], note["attempts"], bool(note["is_clean"])) == (2, 0, True)
