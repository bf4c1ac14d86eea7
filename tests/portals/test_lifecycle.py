"""Installation, update, page, refresh and uninstall in any order and number.

First the pure decisions against a row in memory, thousands of histories; then a few against the real
application on both databases, where requests also overlap.
"""

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.demo.portal import StandInPortal
from app.demo.stand_in import StandIn
from app.portals import lifecycle, queries
from app.portals.lifecycle import Installation
from app.scheduler import check_uninstalls
from tests.portals.reading import read_portal
from tests.running import Callbook, FakeClock

MEMBER_ID = "0123456789abcdef" * 2
START = 1_795_000_000
BLANK: dict[str, Any] = {
    "member_id": MEMBER_ID,
    "state": "uninstalled",
    "generation": 0,
    "language": "",
    "application_token_hash": None,
    "application_token_dated_at": 0,
    "access_token": None,
    "refresh_token": None,
    "token_version": 0,
    "pair_dated_at": 0,
    "access_expires_at": 0,
    "token_state": "uninstalled",
    "refresh_lease_id": None,
}
SECRETS = ("access_token", "refresh_token", "application_token_hash", "refresh_lease_id")


@dataclass
class World:
    """One row, a clock, and what was ever offered."""

    row: dict[str, Any] = field(default_factory=lambda: dict(BLANK))
    now: int = START
    number: int = 0

    def offer(self, age_s: int, *, with_token: bool) -> Installation:
        self.number += 1
        return Installation(
            member_id=MEMBER_ID,
            domain="portal.example",
            client_endpoint="https://portal.example/rest/",
            oauth_server="https://oauth.example",
            license_status="L",
            language="en",
            user_id=1,
            access_token=f"access {self.number}",
            refresh_token=f"refresh {self.number}",
            expires_in_s=3600 - min(age_s, 3600),
            dated_at=self.now - age_s + 3600,
            application_token=f"application {self.number}" if with_token else None,
        )

    def apply(self, changes: dict[str, Any]) -> None:
        """As the vault and the statement do, the token itself standing for its hash."""
        changed = dict(changes)
        if "application_token" in changed:
            changed["application_token_hash"] = changed.pop("application_token")
        self.row = self.row | changed


AGES = st.sampled_from([0, 1, 60, 1800, 3599])
STEPS = st.one_of(
    st.tuples(st.just("install"), AGES, st.booleans()),
    st.tuples(st.just("page"), AGES, st.booleans()),
    st.tuples(st.just("uninstall"), st.just(0), st.just(False)),
    st.tuples(st.just("refresh"), st.just(0), st.just(False)),
    st.tuples(st.just("die"), st.just(0), st.just(False)),
    st.tuples(st.just("lease"), st.just(0), st.just(False)),
    st.tuples(st.just("wait"), st.sampled_from([1, 59, 4000]), st.just(False)),
)
Step = tuple[str, int, bool]


def take(world: World, step: Step) -> Installation | None:
    """Do one step as the application would; the offer that was made."""
    kind, number, with_token = step
    offer = None
    is_installed = world.row["state"] == "installed"
    match kind:
        case "install":
            offer = world.offer(number, with_token=with_token)
            world.apply(lifecycle.decide_installation(world.row, offer, world.now))
        case "page":
            offer = world.offer(number, with_token=with_token)
            world.apply(lifecycle.decide_page_pair(world.row, offer, world.now))
        case "uninstall" if is_installed:
            world.apply(lifecycle.decide_uninstall(world.row, world.now, world.now + 30))
        case "refresh" if is_installed and world.row["token_state"] == "ok":
            world.apply(
                {
                    "pair_dated_at": max(world.now + 3600, world.row["pair_dated_at"]),
                    "token_version": world.row["token_version"] + 1,
                    "access_token": f"refreshed {world.now}",
                    "refresh_token": f"refreshed {world.now}",
                    "access_expires_at": world.now + 3600,
                    "refresh_lease_id": None,
                }
            )
        case "die" if is_installed:
            world.apply({"token_state": "reinstall_needed"})
        case "lease" if is_installed:
            world.apply({"refresh_lease_id": "somebody"})
        case "wait":
            world.now += number
        case _:
            pass
    return offer


def assert_holds(
    before: dict[str, Any], after: dict[str, Any], step: Step, offer: Installation | None
) -> None:
    assert after["generation"] >= before["generation"]
    assert after["token_version"] >= before["token_version"]
    is_pair_new = after["refresh_token"] != before["refresh_token"]
    if is_pair_new:
        assert after["token_version"] > before["token_version"]
    if (
        before["state"] == "installed" == after["state"]
        and before["token_state"] == "ok"
        and offer is not None
    ):
        assert after["pair_dated_at"] >= before["pair_dated_at"]
        if is_pair_new:
            assert offer.dated_at >= before["pair_dated_at"]
    if after["state"] == "uninstalled":
        assert [after[name] for name in SECRETS] == [None] * len(SECRETS)
    else:
        assert after["refresh_token"] is not None
    if before["state"] != after["state"]:
        assert after["generation"] > before["generation"]
    if step[0] == "page" and before["state"] != "installed":
        assert after == before
    if offer is not None and offer.application_token is not None and after["state"] == "installed":
        is_newest = before["state"] != "installed" or offer.dated_at >= before["application_token_dated_at"]
        assert (after["application_token_hash"] == offer.application_token) == is_newest
    if offer is not None and after["application_token_hash"] is None:
        assert offer.application_token is None or after["state"] != "installed"


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=1000)
def test_any_history_keeps_the_promises(steps: list[Step]) -> None:
    world = World()
    for step in steps:
        before = dict(world.row)
        offer = take(world, step)
        assert_holds(before, world.row, step, offer)


@given(st.lists(st.tuples(AGES, st.booleans()), min_size=1, max_size=6), st.randoms())
def test_installations_in_any_order_end_alike(offers: list[tuple[int, bool]], chance: Any) -> None:
    """Page and event of one installation come in any order, late or twice: the newest pair and token stay."""
    world = World()
    made = [world.offer(age_s, with_token=with_token) for age_s, with_token in offers]
    made = [replace(offer, dated_at=offer.dated_at * 10 - number) for number, offer in enumerate(made)]
    ends = []
    for _ in range(2):
        ended = World()
        for offer in made:
            ended.apply(lifecycle.decide_installation(ended.row, offer, ended.now))
        kept = ("generation", "state", "refresh_token", "application_token_hash", "pair_dated_at")
        ends.append({name: ended.row[name] for name in kept})
        chance.shuffle(made)
    assert ends[0] == ends[1]
    assert ends[0]["generation"] == 1
    newest = max(made, key=lambda offer: offer.dated_at)
    assert ends[0]["refresh_token"] == newest.refresh_token


# The real application


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
        assert not await queries.claim_refresh(*state, "lease", clock.now(), clock.now() + 30)
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
    assert not await queries.claim_lookup(row["id"], clock.now(), 0)
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
    """One portal, and Callbook through whatever happens to it."""

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
            await self.callbook.parts.refresher.renew(found.id, pair)

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
        """What is called ok can be refreshed, unless the app was removed without a word."""
        is_dead = self.portal.state.tokens[refresh_token].is_spent
        assert not (row["token_state"] == "ok" and is_dead)


@pytest.mark.parametrize("seed", range(6))
async def test_any_history_of_a_real_portal(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock, seed: int
) -> None:
    """Written out by seeds, because the database and both servers are made once for each test."""
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
