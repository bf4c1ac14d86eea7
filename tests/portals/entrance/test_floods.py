import asyncio
import secrets
from collections import Counter
from urllib.parse import urlsplit

import httpx
import pytest

from app.demo.acts import events
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.fairness.budget import Limits
from tests.running import Callbook, FakeClock, run_callbook

LIMITS = Limits()


@pytest.fixture
async def strict(database_url: str, stand_in: StandIn, clock: FakeClock):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Callbook with its real limits, one portal installed."""
    async with run_callbook(database_url, stand_in, clock) as callbook:
        stand_in.portals[0].add_app()
        await stand_in.portals[0].install(callbook.url)
        await callbook.settle()
        yield callbook


async def post_page(callbook: Callbook, member_id: str, auth_id: str, source: str, path: str = "/") -> int:
    answer = await callbook.client.post(
        path,
        data={"member_id": member_id, "AUTH_ID": auth_id, "AUTH_EXPIRES": "3600", "REFRESH_ID": "r" * 40},
        headers={"X-Forwarded-For": source},
    )
    return answer.status_code


async def in_groups(work: list, size: int = 100) -> list[int]:  # type: ignore[type-arg]
    results: list[int] = []
    for begin in range(0, len(work), size):
        results += await asyncio.gather(*work[begin : begin + size])
    return results


async def test_malformed_names_cost_no_outbound_call(strict: Callbook, stand_in: StandIn) -> None:
    before = stand_in.counts.total()
    for member_id in ("", "x", "../", "f" * 31, "\x00" * 32):
        assert await post_page(strict, member_id, "a" * 40, "192.0.2.1") == 403
        answer = await strict.client.post("/session", json={"member_id": member_id, "auth_id": "a" * 40})
        assert answer.status_code == 403
    assert stand_in.counts.total() == before


async def test_pages_of_unknown_portals_spend_what_is_their_networks_alone(
    strict: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    asked = stand_in.counts["app.info"]
    work = [
        post_page(strict, secrets.token_hex(16), secrets.token_hex(20), f"198.51.100.{index % 200}")
        for index in range(300)
    ]
    assert set(await in_groups(work)) == {403, 429}
    assert stand_in.counts["app.info"] - asked <= LIMITS.questions_per_group
    assert await open_honestly(strict, portal, "198.51.100.9") == 200


@pytest.mark.quick
async def test_a_rejected_token_is_remembered_for_ten_minutes(
    strict: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    member_id = stand_in.portals[0].member_id
    before = stand_in.counts["app.info"]
    for _ in range(5):
        assert await post_page(strict, member_id, "a" * 40, "192.0.2.1") == 403
    assert stand_in.counts["app.info"] == before + 1
    clock.advance(601)
    assert await post_page(strict, member_id, "a" * 40, "192.0.2.1") == 403
    assert stand_in.counts["app.info"] == before + 2


async def test_ten_thousand_forged_pages_cause_few_calls_while_honest_sessions_open(
    strict: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    assert await open_honestly(strict, portal) == 200
    before = stand_in.counts["app.info"]
    sources = [f"198.51.100.{number}" for number in range(20)]
    floods = [asyncio.create_task(flood(strict, portal.member_id, source, 500)) for source in sources]
    honest = 0
    while not all(task.done() for task in floods):
        fresh_network = f"100.64.{honest % 250}.1"
        for source in ("203.0.113.9", "203.0.113.77", fresh_network):
            assert await open_honestly(strict, portal, source) == 200
            honest += 1
    statuses = Counter(status for task in floods for status in task.result())
    assert honest > 10
    assert statuses.total() == 10_000
    assert set(statuses) == {403, 429}
    assert stand_in.counts["app.info"] - before - honest <= LIMITS.questions_per_group


async def flood(callbook: Callbook, member_id: str, source: str, times: int) -> list[int]:
    """Forged pages one after another over one connection, written by hand, because a client library would
    cost more.
    """
    address = urlsplit(callbook.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    statuses = []
    for _ in range(times):
        body = (
            f"member_id={member_id}&AUTH_ID={secrets.token_hex(20)}&AUTH_EXPIRES=3600&REFRESH_ID={'r' * 40}"
        )
        writer.write(
            f"POST / HTTP/1.1\r\nHost: {address.netloc}\r\nX-Forwarded-For: {source}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        statuses.append(int(head.split(" ", 2)[1]))
    writer.close()
    await writer.wait_closed()
    return statuses


async def open_honestly(callbook: Callbook, portal: StandInPortal, source: str = "203.0.113.9") -> int:
    pair = portal.issue_pair(portal.operator)
    return await post_page(callbook, portal.member_id, pair.access_token, source)


async def test_a_flood_from_many_networks_leaves_room_for_newcomers(
    strict: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    before = stand_in.counts["app.info"]
    work = [
        post_page(strict, portal.member_id, secrets.token_hex(20), f"198.51.{index % 40}.{index % 7}")
        for index in range(1000)
    ]
    assert set(await in_groups(work, 20)) == {403, 429}
    assert stand_in.counts["app.info"] - before <= LIMITS.questions_about_known
    for number in range(30):
        assert await open_honestly(strict, portal, f"100.64.{number}.1") == 200
        assert await open_honestly(strict, portal, f"2001:db8:{number:x}::1") == 200
    # An unknown visitor from the network of the flood.
    assert await open_honestly(strict, portal, "198.51.1.9") == 429


async def test_a_flood_is_bounded_while_the_authorization_server_is_away(
    strict: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    before = stand_in.counts["app.info"]
    stand_in.fail("app.info", network="drop")
    work = [
        post_page(strict, portal.member_id, secrets.token_hex(20), f"198.51.{index % 250}.1")
        for index in range(500)
    ]
    assert set(await in_groups(work)) == {503, 429}
    assert stand_in.counts["app.info"] - before <= LIMITS.questions_about_known


async def test_one_subscriber_has_one_budget_whichever_address_of_its_own_it_takes(
    strict: Callbook, stand_in: StandIn
) -> None:
    before = stand_in.counts["app.info"]
    work = [
        post_page(strict, secrets.token_hex(16), secrets.token_hex(20), f"2001:db8::{index:x}", "/install")
        for index in range(100)
    ]
    assert set(await in_groups(work)) == {403, 429}
    assert stand_in.counts["app.info"] - before <= LIMITS.questions_per_group // 2


async def test_an_update_of_all_portals_is_not_held_up_by_the_limits(
    database_url: str, stand_in: StandIn, clock: FakeClock
) -> None:
    """Bitrix24 sends ONAPPUPDATE for every portal from few addresses, and sends none again."""
    limits = Limits(
        questions_of_strangers=2,
        questions_about_known=2,
        questions_of_proven=2,
        questions_per_group=2,
        installations_per_member=20,
    )
    async with run_callbook(database_url, stand_in, clock, limits) as callbook:
        for portal in stand_in.portals:
            await portal.install(callbook.url)
            answers = [await portal.update_event() for _ in range(5)]
            assert [answer.status_code for answer in answers] == [200] * 5
        await callbook.settle()


@pytest.mark.quick
async def test_questions_are_limited_by_network_and_overall(
    strict: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    before = stand_in.counts["app.info"]
    work = [
        post_page(
            strict, secrets.token_hex(16), secrets.token_hex(20), f"198.51.100.{index % 200}", "/install"
        )
        for index in range(300)
    ]
    assert set(await in_groups(work)) == {403, 429}
    assert stand_in.counts["app.info"] - before <= LIMITS.questions_per_group
    work = [
        post_page(strict, secrets.token_hex(16), secrets.token_hex(20), f"198.51.{index % 250}.1", "/install")
        for index in range(1000)
    ]
    assert set(await in_groups(work)) == {403, 429}
    assert stand_in.counts["app.info"] - before <= LIMITS.questions_of_strangers
    clock.advance(60)
    answer = await strict.client.post("/install", data={"member_id": "0" * 32, "AUTH_ID": "b" * 40})
    assert answer.status_code == 403


@pytest.mark.parametrize("is_portal_named", [True, False])
@pytest.mark.parametrize("addresses", [1, 5, 200])
async def test_forged_installer_pages_stop_neither_the_portals_updates_nor_others_installations(
    strict: Callbook, stand_in: StandIn, addresses: int, *, is_portal_named: bool
) -> None:
    """The events of all portals come from the same few servers; an installation comes from anywhere."""
    victim, newcomers = stand_in.portals[0], [await stand_in.add_portal() for _ in range(20)]
    before = stand_in.counts["app.info"]
    flood = [
        post_page(
            strict,
            victim.member_id if is_portal_named else secrets.token_hex(16),
            secrets.token_hex(20),
            f"198.18.{index % addresses}.1",
            "/install",
        )
        for index in range(300)
    ]
    forged = await in_groups(flood)
    updates = [(await send_update(victim, f"203.0.113.{number}")).status_code for number in range(8)]
    installations = [
        await install_from(strict, portal, f"100.64.{number}.1") for number, portal in enumerate(newcomers)
    ]
    assert (set(updates), set(installations)) == ({200}, {200})
    assert set(forged) == {403, 429}
    assert stand_in.counts["app.info"] - before <= LIMITS.questions_of_strangers + 30
    assert (await victim.end_call()).responses[0].status_code == 200


async def send_update(portal: StandInPortal, source: str, **changes: object) -> httpx.Response:
    """ONAPPUPDATE with a new application_token, from one of Bitrix24's servers."""
    portal.installation.version += 1
    portal.installation.application_token = secrets.token_hex(16)
    return await deliver_from(portal, events.update_post(portal, None, changes), source)


async def deliver_from(portal: StandInPortal, post: events.Post, source: str) -> httpx.Response:
    headers = {"content-type": "application/x-www-form-urlencoded", "X-Forwarded-For": source}
    return await portal.stand_in.http.post(post.url, content=post.body, headers=headers)


async def install_from(callbook: Callbook, portal: StandInPortal, source: str) -> int:
    portal.add_app()
    query, form = portal.page_form()
    answer = await callbook.client.post(
        "/install", params=query, data=form, headers={"X-Forwarded-For": source}
    )
    return answer.status_code


async def test_one_portal_alone_reaches_its_own_limit_and_is_told_when_to_come_back(
    strict: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[1]
    portal.add_app()
    plain = [await portal.open_page("/install", user=portal.operator) for _ in range(20)]
    assert {answer.status_code for answer in plain} == {403, 429}
    assert int(next(answer for answer in plain if answer.status_code == 429).headers["Retry-After"]) > 0
