"""ONAPPINSTALL and ONAPPUPDATE that cannot be verified when they come: kept, sealed, verified later."""

import asyncio
import secrets

import httpx
import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.crypto import Keyring, generate_key
from app.portals.entrance.pending_installations import PendingInstallations
from app.portals.pending_queries import KEPT_FOR_NEW_ORIGINS, KEPT_FOR_S, MOST_IN_ALL, MOST_OF_ORIGIN
from app.portals.tokens.key_rotation import rotate_keys
from app.portals.vault import Vault
from app.scheduler import verify_pending
from tests.conftest import GENEROUS
from tests.databases import KEYS
from tests.portals.portal_rows import count, read_pair, read_portal
from tests.running import Callbook, FakeClock, limit_questions, run_callbook

PENDING = (202, {"status": "pending"})
TABLE = "pending_installations"


@pytest.fixture
def portal(stand_in: StandIn) -> StandInPortal:
    portal = stand_in.portals[0]
    portal.add_app()
    return portal


@pytest.fixture
async def waiting(callbook: Callbook, stand_in: StandIn, portal: StandInPortal) -> StandInPortal:
    """A portal whose ONAPPINSTALL came while the authorization server was away; now the server is back."""
    away = stand_in.fail("app.info", network="drop")
    answer = await portal.install_event()
    away.cancel()
    assert (answer.status_code, answer.json()) == PENDING
    return portal


async def verify(callbook: Callbook, clock: FakeClock, after_s: int = 0) -> None:
    clock.advance(after_s)
    await verify_pending(callbook.parts)
    await callbook.settle()


async def post_forged(
    callbook: Callbook, source: str, member_id: str | None = None, **tokens: str
) -> httpx.Response:
    form = {
        "event": "ONAPPINSTALL",
        "auth[member_id]": member_id or secrets.token_hex(16),
        "auth[application_token]": secrets.token_hex(16),
        "auth[access_token]": secrets.token_hex(35),
        "auth[refresh_token]": secrets.token_hex(35),
    }
    return await callbook.client.post("/events", data=form | tokens, headers={"X-Forwarded-For": source})


async def test_an_installation_that_finds_no_room_is_kept_and_verified_in_the_next_minute(
    database_url: str, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    async with run_callbook(database_url, stand_in, clock, limit_questions(2)) as callbook:
        for network in range(2):
            assert (await post_forged(callbook, f"198.{network}.100.1")).status_code == 403
        answer = await portal.install_event()
        assert (answer.status_code, answer.json()) == PENDING
        await verify(callbook, clock)
        assert await count(callbook, "portals") == 0
        await verify(callbook, clock, after_s=60)
        assert (await read_portal(callbook, portal.member_id))["state"] == "installed"
        assert await count(callbook, TABLE) == 0
        portal.installation.is_finished = True
        assert (await portal.end_call()).responses[0].json() == {"status": "ok"}


@pytest.mark.quick
async def test_an_installation_that_waits_survives_a_restart(
    database_url: str, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    stand_in.fail("app.info", network="drop")
    async with run_callbook(database_url, stand_in, clock, GENEROUS) as callbook:
        assert (await portal.install_event()).status_code == 202
    stand_in.faults.clear()
    async with run_callbook(database_url, stand_in, clock, GENEROUS) as callbook:
        await verify(callbook, clock)
        assert (await read_portal(callbook, portal.member_id))["state"] == "installed"


async def test_what_waits_is_sealed_for_its_row(
    callbook: Callbook, waiting: StandInPortal, clock: FakeClock
) -> None:
    rows = await callbook.run_sql(f"SELECT * FROM {TABLE}")
    tokens = [waiting.application_token, *waiting.state.tokens]
    assert not [token for token in tokens if token in str(rows)]
    await callbook.run_sql(f"UPDATE {TABLE} SET member_id = '{'f' * 32}'")
    await verify(callbook, clock)
    assert await count(callbook, "portals") == 0


async def test_it_is_asked_about_later_and_later_while_the_server_is_away(
    callbook: Callbook, stand_in: StandIn, waiting: StandInPortal, clock: FakeClock
) -> None:
    stand_in.fail("app.info", network="drop")
    before = stand_in.counts["app.info"]
    for after_s, asked in ((0, 1), (59, 1), (1, 2), (299, 2), (1, 3), (899, 3), (1, 4)):
        await verify(callbook, clock, after_s)
        assert stand_in.counts["app.info"] - before == asked
    stand_in.faults.clear()
    await verify(callbook, clock, 900)
    assert (await read_portal(callbook, waiting.member_id))["state"] == "installed"


async def test_one_that_waited_for_longer_than_its_token_lives_is_verified_with_a_new_one(
    callbook: Callbook, stand_in: StandIn, waiting: StandInPortal, clock: FakeClock
) -> None:
    clock.advance(3601)
    waiting.expire_access_tokens()
    away = stand_in.fail("app.info", network="drop")
    await verify(callbook, clock)  # The new pair is kept in every case.
    away.cancel()
    await verify(callbook, clock, 60)
    assert stand_in.counts["oauth.refresh"] == 1
    refresh_token = (await read_pair(callbook, waiting.member_id))[1]
    assert not waiting.state.tokens[refresh_token].is_spent
    row = await read_portal(callbook, waiting.member_id)
    assert row["access_expires_at"] == clock.now() - 60 + 3600
    assert await count(callbook, TABLE) == 0


async def test_a_day_later_it_is_forgotten(
    callbook: Callbook, stand_in: StandIn, waiting: StandInPortal, clock: FakeClock
) -> None:
    before = stand_in.counts.total()
    await verify(callbook, clock, KEPT_FOR_S)
    assert await count(callbook, TABLE) == 0
    assert stand_in.counts.total() == before


async def test_a_forged_one_is_refused_when_it_is_verified_and_changes_nothing(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    before = await read_portal(callbook, portal.member_id)
    away = stand_in.fail("app.info", network="drop")
    assert (await post_forged(callbook, "198.51.100.1", portal.member_id)).status_code == 202
    away.cancel()
    await verify(callbook, clock)
    assert await read_portal(callbook, portal.member_id) == before
    assert await count(callbook, TABLE) == 0


async def test_a_late_update_replaces_nothing_newer(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    away = stand_in.fail("app.info", network="drop")
    assert (await portal.update_event()).status_code == 202
    away.cancel()
    clock.advance(5)
    assert (await portal.update_event()).status_code == 200
    await callbook.settle()
    newer = await read_portal(callbook, portal.member_id)
    await verify(callbook, clock, 5)
    after = await read_portal(callbook, portal.member_id)
    kept = ("access_token", "refresh_token", "token_version", "application_token_hash", "access_expires_at")
    assert [after[column] for column in kept] == [newer[column] for column in kept]
    assert await count(callbook, TABLE) == 0
    assert (await portal.end_call()).responses[0].status_code == 200


async def test_of_one_portal_and_network_the_newest_waits(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    away = stand_in.fail("app.info", network="drop")
    for _ in range(3):
        assert (await portal.update_event()).status_code == 202
        clock.advance(1)
    away.cancel()
    assert await count(callbook, TABLE) == 1
    await verify(callbook, clock)
    assert (await portal.end_call()).responses[0].status_code == 200


async def test_a_network_has_room_for_64_and_leaves_room_to_another(
    callbook: Callbook, stand_in: StandIn
) -> None:
    stand_in.fail("app.info", network="drop")
    for number in range(MOST_OF_ORIGIN):
        assert (await post_forged(callbook, f"198.51.100.{number}")).status_code == 202
    refused = await post_forged(callbook, "198.51.100.200")
    assert (refused.status_code, refused.json()["error"]) == (503, "too_many_pending")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await post_forged(callbook, "198.51.101.1")).status_code == 202
    assert await count(callbook, TABLE) == MOST_OF_ORIGIN + 1


async def fill(callbook: Callbook, begin: int, end: int) -> None:
    rows = ", ".join(
        f"('{number}', 'network {number % 32}', 'x', 0, {2**40}, 0, 0)" for number in range(begin, end)
    )
    columns = "member_id, origin, sealed, received_at, next_at, attempts, claimed_until"
    await callbook.run_sql(f"INSERT INTO {TABLE} ({columns}) VALUES {rows}")


async def test_a_thousand_wait_in_all_the_last_places_for_networks_that_have_none(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    stand_in.fail("app.info", network="drop")
    assert (await post_forged(callbook, "198.51.100.1")).status_code == 202
    await fill(callbook, 1, MOST_IN_ALL - KEPT_FOR_NEW_ORIGINS)
    assert (await post_forged(callbook, "198.51.100.1")).status_code == 503
    assert (await post_forged(callbook, "198.51.101.1")).status_code == 202
    await fill(callbook, MOST_IN_ALL - KEPT_FOR_NEW_ORIGINS, MOST_IN_ALL - 1)
    answers = await asyncio.gather(*(post_forged(callbook, f"100.64.{number}.1") for number in range(9)))
    assert {answer.status_code for answer in answers} == {503}
    assert await count(callbook, TABLE) == MOST_IN_ALL


async def test_many_at_once_find_no_more_room_than_there_is(callbook: Callbook, stand_in: StandIn) -> None:
    stand_in.fail("app.info", network="drop")
    await fill(callbook, 0, MOST_IN_ALL - 3)
    answers = await asyncio.gather(*(post_forged(callbook, f"100.64.{number}.1") for number in range(9)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [503] * 6


async def test_two_processes_verify_one_once(
    callbook: Callbook, stand_in: StandIn, waiting: StandInPortal, clock: FakeClock
) -> None:
    before = stand_in.counts["app.info"]
    await asyncio.gather(*(verify(callbook, clock) for _ in range(5)))
    assert stand_in.counts["app.info"] == before + 1
    assert (await read_portal(callbook, waiting.member_id))["generation"] == 1


async def test_one_whose_verifier_was_killed_is_verified_by_the_next(
    callbook: Callbook, stand_in: StandIn, waiting: StandInPortal, clock: FakeClock
) -> None:
    gate = stand_in.hold("app.info")
    pending = callbook.parts.installer.pending
    killed = asyncio.create_task(pending.ask((await pending.list_due(limit=1))[0]))
    await gate.reached()
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    gate.release()
    await verify(callbook, clock, 299)
    assert await count(callbook, "portals") == 0
    await verify(callbook, clock, 1)
    assert (await read_portal(callbook, waiting.member_id))["state"] == "installed"


async def test_keys_are_rotated_under_what_waits(
    callbook: Callbook, waiting: StandInPortal, clock: FakeClock
) -> None:
    new = generate_key("new")
    vault = Vault(Keyring.parse(f"{new},{KEYS}"), clock)
    await vault.open()
    assert await rotate_keys(vault, clock) == (2, 0)  # The other secret is the hash key.
    assert await rotate_keys(vault, clock) == (0, 0)
    parts = callbook.parts
    later = PendingInstallations(parts.installer, Keyring.parse(new), parts.database, clock)
    for row in await later.list_due(limit=50):
        await later.ask(row)
    await callbook.settle()
    assert (await read_portal(callbook, waiting.member_id))["state"] == "installed"


async def test_the_vendor_forgets_what_waits_too_also_while_it_is_verified(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    await portal.install(callbook.url)
    await callbook.settle()
    away = stand_in.fail("app.info", network="drop")
    assert (await portal.update_event()).status_code == 202
    away.cancel()
    gate = stand_in.hold("app.info", when="after")
    await verify_pending(callbook.parts)
    await gate.reached()
    stored = await callbook.parts.directory.find(portal.member_id)
    assert stored is not None
    await callbook.parts.erasure.forget(stored)
    gate.release()
    await callbook.settle()
    assert [await count(callbook, table) for table in ("portals", TABLE)] == [0, 0]


async def test_a_reinstallation_that_waits_outlives_the_proof_of_the_uninstall_before_it(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    """Both events came while the authorization server was away."""
    await portal.install(callbook.url)
    await callbook.settle()
    stand_in.fail("app.info", network="drop")
    stand_in.fail("oauth.refresh", network="drop")
    announced = await portal.uninstall(clean=True)
    assert announced is not None
    assert announced.status_code == 202
    portal.add_app()
    assert (await portal.install_event()).status_code == 202
    stand_in.faults.clear()
    stored = await callbook.parts.directory.find(portal.member_id)
    assert stored is not None
    clock.advance(60)
    await callbook.parts.uninstaller.check(stored.id)
    await callbook.settle()
    await verify(callbook, clock)
    rows = await callbook.run_sql("SELECT state FROM portals")
    assert [row["state"] for row in rows] == ["installed"]


async def test_what_waited_is_refused_when_the_application_was_removed_meanwhile(
    callbook: Callbook, waiting: StandInPortal, clock: FakeClock
) -> None:
    await waiting.uninstall(send=False)
    await verify(callbook, clock)
    assert [await count(callbook, table) for table in ("portals", TABLE)] == [0, 0]


async def test_an_installation_outlasts_that_its_portal_is_closed(
    callbook: Callbook, portal: StandInPortal, clock: FakeClock
) -> None:
    portal.state.rest_refusal = "portal_closed"
    answer = await portal.install_event()
    assert (answer.status_code, answer.json()) == PENDING
    for after_s in (0, 60):
        await verify(callbook, clock, after_s)
        assert [await count(callbook, table) for table in ("portals", TABLE)] == [0, 1]
    portal.state.rest_refusal = None
    await verify(callbook, clock, 300)
    assert (await read_portal(callbook, portal.member_id))["state"] == "installed"
    assert await count(callbook, TABLE) == 0


async def test_an_installation_outlasts_that_another_portal_has_its_address(
    callbook: Callbook, stand_in: StandIn, portal: StandInPortal, clock: FakeClock
) -> None:
    other = stand_in.portals[1]
    other.add_app()
    await other.install(callbook.url)
    await callbook.settle()
    portal.listed_endpoint = other.client_endpoint
    answer = await portal.install_event()
    assert (answer.status_code, answer.json()) == PENDING
    await verify(callbook, clock)
    assert await count(callbook, TABLE) == 1
    portal.listed_endpoint = None
    await verify(callbook, clock, 60)
    assert (await read_portal(callbook, portal.member_id))["state"] == "installed"


async def test_the_right_application_token_is_asked_about_wherever_it_comes_from(
    database_url: str, stand_in: StandIn, clock: FakeClock, portal: StandInPortal
) -> None:
    """A stranger in the network of Bitrix24's own servers uses up the strangers' attempts there."""
    async with run_callbook(database_url, stand_in, clock, limit_questions(8, of_group=4)) as callbook:
        assert (await portal.install(callbook.url)).status_code == 200
        await callbook.settle()
        flood = [await post_forged(callbook, "127.0.0.1", portal.member_id) for _ in range(200)]
        assert {answer.status_code for answer in flood} == {403, 202, 503}
        assert (await portal.install_event()).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"auth[access_token]": "x"},
        {"auth[refresh_token]": "r" * 1_900},
        {"auth[refresh_token]": "\x00" * 400},  # Each of them takes six bytes when it is kept.
        {"auth[application_token]": ""},
        {"auth[member_id]": "../"},
    ],
)
async def test_what_can_prove_nothing_is_neither_asked_about_nor_kept(
    callbook: Callbook, stand_in: StandIn, changes: dict[str, str]
) -> None:
    before = stand_in.counts.total()
    assert (await post_forged(callbook, "198.51.100.1", **changes)).status_code == 403
    assert stand_in.counts.total() == before
    assert await count(callbook, TABLE) == 0
