"""A real portal goes through installation, update, pages, refresh and uninstall in any order, on both
databases.
"""

import random
from typing import Any

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import queries
from app.portals.tokens.refresh_budget import Cause
from app.scheduler import check_uninstalls
from tests.portals.portal_rows import read_portal
from tests.running import Callbook, FakeClock

SECRETS = ("access_token", "refresh_token", "application_token_hash", "refresh_lease_id")


async def test_what_was_decided_on_an_older_state_changes_nothing(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal = stand_in.portals[0]
    await portal.install(callbook.url)
    await callbook.settle()
    row = await read_portal(callbook, portal.member_id)
    older = (row["id"], row["generation"] - 1, row["token_version"])
    spent = (row["id"], row["generation"], row["token_version"] - 1)
    for state in (older, spent):
        assert not await queries.update_unchanged(*state, {"access_token": None})
        assert not await queries.take_refresh_lease(*state, "lease", clock.now(), clock.now() + 30)
    assert not await queries.update_generation(*older[:2], {"setup": "[]"})
    await queries.want_lookup(*older[:2], clock.now())
    await queries.release_refresh(row["id"], "lease of another", is_doubtful=False)
    assert await read_portal(callbook, portal.member_id) == row
    await portal.uninstall(clean=False)
    gone = await read_portal(callbook, portal.member_id)
    assert not await queries.update_unchanged(
        row["id"], gone["generation"], gone["token_version"], {"setup": ""}
    )
    assert not await queries.update_generation(row["id"], gone["generation"], {"setup": ""})
    assert not await queries.take_lookup(row["id"], clock.now(), 0)
    assert await read_portal(callbook, portal.member_id) == gone


ACTIONS = (
    "install_page",
    "install_event",
    "late_install_event",
    "update_event",
    "admin_page",
    "user_page",
    "expire_and_sync",
    "uninstall",
    "uninstall_clean",
    "forged_uninstall",
    "silent_uninstall",
    "wait",
)


class Machine:
    """One portal, and Callbook, which takes each step as it comes."""

    def __init__(self, callbook: Callbook, portal: StandInPortal, clock: FakeClock) -> None:
        self.callbook, self.portal, self.clock = callbook, portal, clock
        self.late = portal.issue_pair()
        self.before: dict[str, Any] | None = None

    async def act(self, action: str) -> None:  # noqa: C901  One case an action.
        portal, is_present = self.portal, self.portal.installation.is_present
        match action:
            case "install_page":
                await portal.install(self.callbook.url)
            case "install_event":
                if not is_present:
                    portal.add_app()
                await portal.install_event()
            case "late_install_event":
                late = self.late
                await portal.install_event(access_token=late.access_token, refresh_token=late.refresh_token)
                self.late = portal.issue_pair()
            case "update_event" if is_present:
                await portal.update_event(drops_bindings=True)
            case "admin_page":
                await portal.open_page("/")
            case "user_page":
                await portal.open_page("/", user=portal.operator)
            case "expire_and_sync":
                portal.expire_access_tokens()
                await self.use_stored_pair()
            case "uninstall" | "uninstall_clean":
                await portal.uninstall(clean=action.endswith("clean"))
            case "forged_uninstall":
                await portal.uninstall_event(clean=True)
            case "silent_uninstall":
                await portal.uninstall(send=False)
            case _:
                self.clock.advance(90)
                await check_uninstalls(self.callbook.parts)
        await self.callbook.settle()

    async def use_stored_pair(self) -> None:
        found = await queries.find_portal(self.portal.member_id)
        pair = await self.callbook.parts.vault.read_pair(found.id) if found else None
        if found is not None and pair is not None and found.is_reachable:
            await self.callbook.parts.refresher.renew(found.id, pair, Cause.OWN_WORK)

    async def assert_holds(self, action: str) -> None:
        rows = await self.callbook.run_sql(
            f"SELECT * FROM portals WHERE member_id = '{self.portal.member_id}'"
        )
        assert len(rows) <= 1, action
        before, after = self.before, rows[0] if rows else None
        self.before = after
        if after is None:
            return
        if after["state"] == "uninstalled":
            assert [after[name] for name in SECRETS] == [None] * 4
            people = await self.callbook.run_sql(f"SELECT * FROM people WHERE portal_id = {after['id']}")
            assert people == []
        else:
            pair = await self.callbook.parts.vault.read_pair(after["id"])
            assert pair is not None
            assert pair.access_token in self.portal.state.tokens
            self.assert_alive(after, pair.refresh_token)
        if (
            before is not None
            and before["state"] == after["state"] == "installed"
            and before["token_state"] == "ok"
        ):
            assert after["pair_dated_at"] >= before["pair_dated_at"]
        if before is not None and before["id"] == after["id"]:
            assert after["generation"] >= before["generation"]

    def assert_alive(self, row: dict[str, Any], refresh_token: str) -> None:
        """A pair that counts as ok can be refreshed, unless the app was removed without an event."""
        is_dead = self.portal.state.tokens[refresh_token].is_spent
        assert not (row["token_state"] == "ok" and is_dead)


@pytest.mark.parametrize("seed", range(6))
async def test_any_history_of_a_real_portal(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, seed: int
) -> None:
    """Seeds give the histories, because each test makes the database and both servers only once."""
    chance = random.Random(seed)
    portal, other = stand_in.portals
    for one in (portal, other):
        one.add_app()
    stand_in.app_url = callbook.url
    await other.install(callbook.url)
    await callbook.settle()
    untouched = await read_portal(callbook, other.member_id)
    machine = Machine(callbook, portal, clock)
    await machine.act("install_page")
    for _ in range(14):
        action = chance.choice(ACTIONS)
        await machine.act(action)
        await machine.assert_holds(action)
        clock.advance(chance.choice([0, 1, 5]))
    await machine.act("install_page")
    row = await read_portal(callbook, portal.member_id)
    assert (row["state"], row["token_state"]) == ("installed", "ok")
    assert (await portal.end_call()).responses[0].json() == {"status": "ok"}
    assert await read_portal(callbook, other.member_id) == untouched
