"""A portal is erased for silence only after 90 days of a dead pair without any sign of life."""

from collections.abc import Awaitable, Callable

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.absence.gone_guard import QUESTION
from app.portals.absence.silence_rules import DAY_S, erased_for_silence_at
from app.scheduler import end_silent
from tests.portals.absence.gone_portals import install_all
from tests.portals.portal_rows import count, read_portal
from tests.running import Callbook, FakeClock


@pytest.fixture
async def dead(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    """A portal with a call; its pair was found dead before Callbook dated dead pairs."""
    await install_all(callbook, stand_in.portals)
    portal = stand_in.portals[0]
    await portal.end_call()
    await callbook.settle()
    await callbook.run_sql(
        f"UPDATE portals SET token_state = 'reinstall_needed' WHERE member_id = '{portal.member_id}'"
    )
    return portal


async def wait_days(callbook: Callbook, clock: FakeClock, days: int) -> None:
    for _ in range(days):
        clock.advance(DAY_S)
        await end_silent(callbook.parts)
        await callbook.settle()


async def erased_at(portal: StandInPortal) -> int | None:
    stored = await queries.find_portal(portal.member_id)
    assert stored is not None
    return erased_for_silence_at(stored)


@pytest.mark.quick
async def test_it_is_told_30_days_before_and_erased_after_90(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, dead: StandInPortal
) -> None:
    await end_silent(callbook.parts)
    await wait_days(callbook, clock, 59)
    assert await erased_at(dead) is None
    await wait_days(callbook, clock, 1)
    assert await erased_at(dead) == clock.now() + 30 * DAY_S
    await wait_days(callbook, clock, 29)
    assert (await read_portal(callbook, dead.member_id))["state"] == "installed"
    await wait_days(callbook, clock, 1)
    assert await count(callbook, "calls") == 0
    assert await count(callbook, "portals") == 1
    assert (
        await dead.open_page("/")
    ).status_code == 200  # Silence is no uninstall: a page installs it again.


Sign = Callable[[Callbook, StandInPortal], Awaitable[int]]


async def open_as_operator(_: Callbook, portal: StandInPortal) -> int:
    return (await portal.open_page("/", user=portal.operator)).status_code


async def open_session(callbook: Callbook, portal: StandInPortal) -> int:
    token = portal.issue_pair(portal.operator).access_token
    body = {"member_id": portal.member_id, "auth_id": token}
    return (await callbook.client.post("/session", json=body)).status_code


async def send_call(callbook: Callbook, portal: StandInPortal) -> int:
    answer = (await portal.end_call()).responses[0]
    await callbook.parts.ingest.can_store()  # Its turn comes after the note on the event.
    return answer.status_code


async def send_odd_call(_: Callbook, portal: StandInPortal) -> int:
    return (await portal.end_call(data={"CALL_DURATION": "long"})).responses[0].status_code


async def send_another_event(callbook: Callbook, portal: StandInPortal) -> int:
    fields = {
        "event": "ONCRMLEADADD",
        "auth[member_id]": portal.member_id,
        "auth[application_token]": portal.application_token,
    }
    return (await callbook.client.post("/events", data=fields)).status_code


@pytest.mark.parametrize(
    "sign", [open_as_operator, open_session, send_call, send_odd_call, send_another_event]
)
async def test_each_sign_of_life_begins_the_90_days_again(
    callbook: Callbook, clock: FakeClock, dead: StandInPortal, sign: Sign
) -> None:
    await end_silent(callbook.parts)
    await wait_days(callbook, clock, 80)
    assert await erased_at(dead) is not None
    assert await sign(callbook, dead) == 200
    assert await erased_at(dead) is None
    await wait_days(callbook, clock, 89)
    assert (await read_portal(callbook, dead.member_id))["state"] == "installed"
    await wait_days(callbook, clock, 1)
    assert await count(callbook, "portals") == 1


async def test_a_living_pair_is_never_silent(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, dead: StandInPortal
) -> None:
    await end_silent(callbook.parts)
    await wait_days(callbook, clock, 95)
    row = await read_portal(callbook, stand_in.portals[1].member_id)
    assert (row["state"], row["silence_warned_at"]) == ("installed", 0)


async def test_a_restored_backup_leaves_the_vendor_30_days(
    callbook: Callbook, clock: FakeClock, dead: StandInPortal
) -> None:
    """A year passes in which no event can reach Callbook."""
    await end_silent(callbook.parts)
    clock.advance(365 * DAY_S)
    await end_silent(callbook.parts)
    await callbook.settle()
    await wait_days(callbook, clock, 29)
    assert (await read_portal(callbook, dead.member_id))["state"] == "installed"
    await wait_days(callbook, clock, 1)
    assert await count(callbook, "portals") == 1


async def test_nothing_is_erased_for_silence_while_many_seem_to_be_gone(
    callbook: Callbook, clock: FakeClock, dead: StandInPortal
) -> None:
    await end_silent(callbook.parts)
    await callbook.run_sql(f"INSERT INTO facts (name, value, at) VALUES ('{QUESTION}', 'asked', 1)")
    await wait_days(callbook, clock, 100)
    assert (await read_portal(callbook, dead.member_id))["state"] == "installed"
    await callbook.run_sql(f"DELETE FROM facts WHERE name = '{QUESTION}'")
    await wait_days(callbook, clock, 1)
    assert await count(callbook, "portals") == 1


async def test_a_day_of_pages_writes_once(callbook: Callbook, clock: FakeClock, dead: StandInPortal) -> None:
    begun_at = clock.now()
    for _ in range(24):
        await open_as_operator(callbook, dead)
        await open_session(callbook, dead)
        assert (await read_portal(callbook, dead.member_id))["seen_at"] == begun_at
        clock.advance(3600)
    await open_as_operator(callbook, dead)
    assert (await read_portal(callbook, dead.member_id))["seen_at"] == clock.now()
