"""`portals …` as a process beside a running Callbook, on both databases."""

import json
import re
from typing import Any

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.clock import SystemClock
from tests.commands.running import Completed, make_environment, run_command
from tests.databases import KEYS
from tests.portals.absence.gone_portals import check, seem_gone
from tests.portals.portal_rows import read_portal
from tests.running import CLIENT_SECRET, Callbook, FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """The machine's time, as the commands use it."""
    return FakeClock(SystemClock().now())


@pytest.fixture
async def portal(callbook: Callbook, stand_in: StandIn) -> StandInPortal:
    for one in stand_in.portals:
        one.add_app()
        await one.install(callbook.url)
    await callbook.settle()
    return stand_in.portals[0]


class Vendor:
    """The vendor, which runs the commands and checks that they print nothing secret."""

    def __init__(self, database_url: str, stand_in: StandIn, callbook: Callbook) -> None:
        self._environment = make_environment(database_url, stand_in)
        self._stand_in = stand_in
        self._callbook = callbook

    async def run(self, *arguments: str) -> str:
        done = await run_command(self._environment, "portals", *arguments)
        await self.assert_harmless(done)
        assert done.code == 0, done.all
        return done.out

    async def read(self, *arguments: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(await self.run(*arguments, "--json"))
        return rows

    async def assert_harmless(self, done: Completed) -> None:
        secrets = [CLIENT_SECRET, KEYS]
        for portal in self._stand_in.portals:
            secrets += [portal.application_token, *portal.state.tokens]
        for row in await self._callbook.run_sql("SELECT * FROM portals"):
            secrets += [
                row[name] for name in ("application_token_hash", "access_token", "refresh_token") if row[name]
            ]
        for secret in secrets:
            assert secret not in done.all


@pytest.fixture
def vendor(database_url: str, stand_in: StandIn, callbook: Callbook) -> Vendor:
    return Vendor(database_url, stand_in, callbook)


async def test_list_and_show(vendor: Vendor, stand_in: StandIn, portal: StandInPortal) -> None:
    listed = await vendor.read("list")
    assert [row["member_id"] for row in listed] == [one.member_id for one in stand_in.portals]
    shown = await vendor.read("show", portal.member_id.upper())
    assert shown == listed[:1]
    assert (shown[0]["is_installed"], shown[0]["has_application_token"]) == (True, True)
    assert (shown[0]["token"], shown[0]["contact_state"], shown[0]["contact_since"]) == ("ok", "ok", None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", shown[0]["installed_at"])
    text = await vendor.run("list")
    assert text.count("member_id: ") == 2
    assert f"domain: {portal.domain}\n" in await vendor.run("show", portal.member_id)


@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_what_a_portal_chose_reaches_no_terminal_raw(
    vendor: Vendor, callbook: Callbook, portal: StandInPortal, form: tuple[str, ...]
) -> None:
    await callbook.run_sql("UPDATE portals SET app_code = 'a\x1b]0;b\x07\x7f\x9b2J\u202e'")
    for action in (("list",), ("show", portal.member_id)):
        shown = await vendor.run(*action, *form)
        assert [sign for sign in shown if sign != "\n" and not sign.isprintable()] == []
        assert "2J" in shown


async def test_sync_reads_what_never_came(vendor: Vendor, callbook: Callbook, portal: StandInPortal) -> None:
    ended = await portal.end_call(lose=True)
    await vendor.run("sync", portal.member_id, "--json")
    rows = await callbook.run_sql("SELECT call_id, source FROM calls")
    assert rows == [{"call_id": ended.rows[0].call_id, "source": "history"}]
    await vendor.run("sync", portal.member_id)
    assert len(await callbook.run_sql("SELECT id FROM calls")) == 1


async def test_events_are_listed_and_replayed(
    vendor: Vendor, callbook: Callbook, portal: StandInPortal
) -> None:
    assert await vendor.run("events", portal.member_id) == "none\n"
    answer = (await portal.end_call(data={"CALL_DURATION": "long"})).responses[0]
    assert answer.status_code == 200
    kept = await vendor.read("events", portal.member_id)
    assert kept[0]["data"]["CALL_DURATION"] == "long"
    assert "CALL_DURATION" in kept[0]["reason"]
    assert await vendor.read("events", portal.member_id, "--replay") == [{"stored": 0, "left": 1}]
    await callbook.run_sql("UPDATE undecodable_events SET payload = REPLACE(payload, 'long', '35')")
    assert await vendor.read("events", portal.member_id, "--replay") == [{"stored": 1, "left": 0}]
    assert await vendor.read("events", portal.member_id) == []
    assert [row["duration_s"] for row in await callbook.run_sql("SELECT duration_s FROM calls")] == [35]


async def test_forget_erases_one_portal_and_no_other(
    vendor: Vendor, callbook: Callbook, stand_in: StandIn, portal: StandInPortal
) -> None:
    other = stand_in.portals[1]
    for one in (portal, other):
        await one.end_call()
    before = await read_portal(callbook, other.member_id)
    assert await vendor.read("forget", portal.member_id) == [
        {"member_id": portal.member_id, "forgotten": True}
    ]
    assert await callbook.run_sql("SELECT member_id FROM portals") == [{"member_id": other.member_id}]
    assert len(await callbook.run_sql("SELECT id FROM calls")) == 1
    for table in ("people", "undecodable_events", "call_legs"):
        rows = await callbook.run_sql(f"SELECT * FROM {table} WHERE portal_id <> {before['id']}")
        assert rows == []
    assert (
        await callbook.run_sql(f"SELECT id FROM rest_exchanges WHERE member_id = '{portal.member_id}'") == []
    )
    assert await read_portal(callbook, other.member_id) | {"last_event_at": 0} == before | {
        "last_event_at": 0
    }
    # Also in the process that remembers the portal.
    assert (await portal.end_call()).responses[0].status_code == 403


async def seem_all_gone(
    callbook: Callbook, stand_in: StandIn, portals: list[StandInPortal], clock: FakeClock
) -> None:
    for one in portals:
        one.add_app()
        await one.install(callbook.url)
        await callbook.settle()
        await seem_gone(callbook, stand_in, one)
    await check(callbook, clock, 60)
    assert "many_portals_gone" in (await callbook.client.get("/readyz")).json()["problems"]


@pytest.mark.parametrize(("answer", "left"), [("--keep", []), ("--accept", [True] * 5)])
async def test_portals_that_say_they_are_gone_are_listed_and_answered_for(
    vendor: Vendor,
    callbook: Callbook,
    stand_in: StandIn,
    clock: FakeClock,
    portal: StandInPortal,
    *,
    answer: str,
    left: list[bool],
) -> None:
    for _ in range(3):
        await stand_in.add_portal()
    await seem_all_gone(callbook, stand_in, stand_in.portals, clock)
    gone = await vendor.read("gone")
    assert [row["member_id"] for row in gone] == [one.member_id for one in stand_in.portals]
    assert {(row["attempts"], row["is_accepted"]) for row in gone} == {(1, False)}
    assert {tuple(row["attention"]) for row in await vendor.read("list", "--attention")} == {("gone",)}
    assert await vendor.read("gone", answer) == gone
    assert [row["is_accepted"] for row in await vendor.read("gone")] == left
    assert "many_portals_gone" not in (await callbook.client.get("/readyz")).json()["problems"]


async def test_portals_that_are_to_be_erased_for_silence_need_attention(
    vendor: Vendor, callbook: Callbook, portal: StandInPortal
) -> None:
    assert await vendor.read("list", "--attention") == []
    await callbook.run_sql(
        "UPDATE portals SET token_state = 'reinstall_needed', dead_since = 1, last_event_at = NULL,"
        f" silence_warned_at = 60 * 86400 + 1 WHERE member_id = '{portal.member_id}'"
    )
    (row,) = await vendor.read("list", "--attention")
    assert (row["member_id"], row["attention"]) == (portal.member_id, ["silent"])
    assert row["silence_erases_at"] == "1970-04-01T00:00:01+00:00"
