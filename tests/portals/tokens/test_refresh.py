"""A pair of tokens is refreshed once, stored at once, and lost by no fault."""

import asyncio
import sqlite3
from functools import partial
from typing import Any

import pytest

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest.exchange import Exchange
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.faults import Gate
from app.demo.stand_in import StandIn
from app.kit.fairness.background import Background
from app.portals import queries
from app.portals.outbound.access import PortalNotConnectedError, PortalUnreachableError
from app.portals.tokens.refresh import LEASE_S, Verdict
from app.portals.tokens.refresh_budget import PERSON_REST_S, REST_S, Cause
from app.portals.tokens.renewal import renew_due_pairs
from tests.conftest import GENEROUS
from tests.portals.portal_rows import read_pair, read_portal
from tests.portals.tokens.installed_portals import make_second, stored
from tests.running import Callbook, FakeClock, run_callbook

DAY_S = 86_400


async def test_nothing_is_refreshed_while_the_token_lives(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    portal = await stored(callbook, installed)
    for _ in range(3):
        await callbook.parts.access.call(portal, "user.get", {})
    assert stand_in.counts["oauth.refresh"] == 0


@pytest.mark.quick
async def test_twenty_waiting_calls_make_one_refresh(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    portal = await stored(callbook, installed)
    installed.expire_access_tokens()
    answers = await asyncio.gather(*(callbook.parts.access.call(portal, "user.get", {}) for _ in range(20)))
    assert len(answers) == 20
    assert stand_in.counts["oauth.refresh"] == 1


@pytest.mark.parametrize(("cause", "rest_s"), [(Cause.OWN_WORK, REST_S), (Cause.PERSON, PERSON_REST_S)])
async def test_however_often_a_portal_says_expired_few_pairs_are_bought(
    callbook: Callbook,
    stand_in: StandIn,
    installed: StandInPortal,
    clock: FakeClock,
    cause: Cause,
    rest_s: int,
) -> None:
    """Callbook's own record decides, and counts a purchase whose answer broke off."""
    portal = await stored(callbook, installed)
    stand_in.fail("user.get", code="expired_token", status=401, portal=installed)
    for count in range(1, 4):
        for _ in range(5):
            with pytest.raises((BitrixError, PortalUnreachableError)):
                await callbook.parts.access.use(
                    portal, lambda client, token: client.call("user.get", {}, token), cause
                )
        assert stand_in.counts["oauth.refresh"] == count
        clock.advance(rest_s)
    stand_in.heal()
    assert (await callbook.parts.access.call(portal, "user.get", {})).result
    assert (await read_portal(callbook, installed.member_id))["token_state"] == "ok"


async def test_a_pair_of_another_process_serves_waiting_callers(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    """A second Refresher shares only the database with the first."""
    portal = await stored(callbook, installed)
    pair = await callbook.parts.vault.read_pair(portal.id)
    assert pair is not None
    gate = stand_in.hold("oauth.refresh")
    first = asyncio.create_task(callbook.parts.refresher.renew(portal.id, pair, Cause.OWN_WORK))
    await gate.reached()
    second = asyncio.create_task(make_second(callbook).renew(portal.id, pair, Cause.OWN_WORK))
    gate.release()
    assert {(await first).value, (await second).value} == {"renewed"}
    assert stand_in.counts["oauth.refresh"] == 1


async def renew_while_the_database_fails(
    callbook: Callbook,
    clock: FakeClock,
    monotonic: FakeClock,
    portal_id: int,
    failures: int,
    monkeypatch: pytest.MonkeyPatch,
) -> Verdict:
    """Fail so often the statement that stores the new pair. Each pause before the next attempt is a second,
    in which the wall clock is set forward by an hour.
    """
    pair = await callbook.parts.vault.read_pair(portal_id)
    assert pair is not None
    store, left = queries.update_unchanged, iter(range(failures))

    async def fail_first(*args: Any) -> bool:
        if next(left, None) is not None:
            raise sqlite3.OperationalError("database is locked")
        return await store(*args)

    async def sleep(_: float) -> None:
        monotonic.advance(1)
        clock.advance(3600)

    monkeypatch.setattr(queries, "update_unchanged", fail_first)
    second = make_second(callbook, sleep, monotonic.now)
    return await second.renew(portal_id, pair, Cause.OWN_WORK)


@pytest.mark.quick
async def test_a_new_pair_outlives_a_database_that_is_away_for_a_moment(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal, old = await stored(callbook, installed), await read_pair(callbook, installed.member_id)
    moved = clock, FakeClock(1_000)
    verdict = await renew_while_the_database_fails(callbook, *moved, portal.id, 5, monkeypatch)
    assert verdict is Verdict.RENEWED
    assert await read_pair(callbook, installed.member_id) != old
    assert not (await stored(callbook, installed)).has_dangling_refresh


async def test_storing_is_tried_no_longer_than_the_lease_lasts(
    callbook: Callbook, installed: StandInPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal, monotonic = await stored(callbook, installed), FakeClock(1_000)
    with pytest.raises(sqlite3.OperationalError):
        await renew_while_the_database_fails(callbook, clock, monotonic, portal.id, 1000, monkeypatch)
    assert LEASE_S - 5 <= monotonic.now() - 1_000 <= LEASE_S
    assert (await stored(callbook, installed)).has_dangling_refresh


async def test_nothing_stands_between_the_answer_and_its_storing(
    callbook: Callbook, installed: StandInPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal, seen = await stored(callbook, installed), []

    async def look(exchange: Exchange) -> None:
        if exchange.method == "oauth/token":
            seen.append((await stored(callbook, installed)).token_version)

    monkeypatch.setattr(callbook.parts.refresher._server, "_record", look)  # noqa: SLF001
    installed.expire_access_tokens()
    await callbook.parts.access.call(portal, "user.get", {})
    assert seen == [portal.token_version + 1]


async def test_invalid_grant_marks_the_portal_and_stops_contact(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    portal = await stored(callbook, installed)
    installed.expire_access_tokens()
    stand_in.fail("oauth.refresh", code="invalid_grant", portal=installed)
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(portal, "user.get", {})
    assert (await stored(callbook, installed)).token_state == "reinstall_needed"
    before = stand_in.counts.total()
    with pytest.raises(PortalNotConnectedError):
        await callbook.parts.access.call(portal, "user.get", {})
    assert stand_in.counts.total() == before


async def test_events_are_stored_while_the_pair_is_dead(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    await test_invalid_grant_marks_the_portal_and_stops_contact(callbook, stand_in, installed)
    assert (await installed.end_call()).responses[0].json() == {"status": "ok"}


@pytest.mark.parametrize("network", ["drop", "503", "504", "html"])
async def test_network_trouble_never_marks_a_portal(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock, network: str
) -> None:
    """An answer that broke off, or none, may have bought a pair, and counts as a purchase."""
    portal = await stored(callbook, installed)
    installed.expire_access_tokens()
    stand_in.fail("oauth.refresh", network=network, times=1)  # type: ignore[arg-type]
    with pytest.raises(PortalUnreachableError):
        await callbook.parts.access.call(portal, "user.get", {})
    assert (await stored(callbook, installed)).token_state == "ok"
    clock.advance(REST_S)
    await callbook.parts.access.call(portal, "user.get", {})


@pytest.mark.quick
async def test_an_answer_under_another_generation_is_not_stored(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    portal = await stored(callbook, installed)
    installed.expire_access_tokens()
    gate = stand_in.hold("oauth.refresh", portal=installed)
    call = asyncio.create_task(callbook.parts.access.call(portal, "user.get", {}))
    await gate.reached()
    await installed.uninstall(clean=False)
    await installed.install(callbook.url)
    newer = await read_pair(callbook, installed.member_id)
    gate.release()
    with pytest.raises((PortalNotConnectedError, PortalUnreachableError)):
        await call
    assert await read_pair(callbook, installed.member_id) == newer
    assert (await stored(callbook, installed)).token_state == "ok"


@pytest.mark.quick
async def test_lost_answer_is_healed_by_the_next_page_of_an_admin(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    installed.expire_access_tokens()
    stand_in.fail("oauth.refresh", network="drop_after", times=1)
    with pytest.raises(PortalUnreachableError):
        await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    assert (await stored(callbook, installed)).has_dangling_refresh
    await installed.open_page("/", user=installed.operator)
    assert (await stored(callbook, installed)).has_dangling_refresh
    await installed.open_page("/")
    await callbook.settle()
    assert not (await stored(callbook, installed)).has_dangling_refresh
    await callbook.parts.access.call(await stored(callbook, installed), "user.get", {})
    assert stand_in.counts["oauth.refresh"] == 1


async def test_dead_pair_is_replaced_when_an_admin_opens_the_app(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal
) -> None:
    await test_invalid_grant_marks_the_portal_and_stops_contact(callbook, stand_in, installed)
    stand_in.heal()
    await installed.open_page("/", user=installed.operator)
    assert (await stored(callbook, installed)).token_state == "reinstall_needed"
    await installed.open_page("/")
    assert (await stored(callbook, installed)).token_state == "ok"


async def test_shutdown_lets_a_refresh_finish(
    database_url: str, stand_in: StandIn, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authorization server answers only when the shutdown already waits for all that runs."""
    gates: list[Gate] = []
    drain = Background.drain

    async def drain_after_the_answer(background: Background, timeout_s: float) -> None:
        for gate in gates:
            gate.release()
        await drain(background, timeout_s)

    monkeypatch.setattr(Background, "drain", drain_after_the_answer)
    installed = stand_in.portals[0]
    installed.add_app()
    async with run_callbook(database_url, stand_in, clock, GENEROUS) as callbook:
        await installed.install(callbook.url)
        await callbook.settle()
        old = await read_pair(callbook, installed.member_id)
        portal = await stored(callbook, installed)
        installed.expire_access_tokens()
        gate = stand_in.hold("oauth.refresh")
        call = asyncio.create_task(callbook.parts.access.call(portal, "user.get", {}))
        await gate.reached()
        call.cancel()
        gates.append(gate)
    async with run_callbook(database_url, stand_in, clock, GENEROUS) as again:
        assert await read_pair(again, installed.member_id) != old
        assert (await read_portal(again, installed.member_id))["refresh_lease_id"] is None


@pytest.mark.quick
async def test_pairs_are_renewed_after_25_days_and_not_before(
    callbook: Callbook, stand_in: StandIn, installed: StandInPortal, clock: FakeClock
) -> None:
    parts = callbook.parts
    renew = partial(renew_due_pairs, parts.vault, parts.refresher, parts.clock, parts.turns)
    clock.advance(25 * DAY_S - 1)
    assert await renew() == 0
    clock.advance(DAY_S + 1)
    assert await renew() == 2
    await callbook.settle()
    assert await renew() == 0
    assert stand_in.counts["oauth.refresh"] == 2
    due = {(await read_portal(callbook, portal.member_id))["renew_at"] for portal in stand_in.portals}
    assert len(due) == 2  # They are spread over a day.
