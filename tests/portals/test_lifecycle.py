"""Installation, update, page, refresh and uninstall in any order and number.

A thousand histories of the pure decisions against a row in memory; test_any_order.py has the real thing.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.portals import lifecycle
from app.portals.lifecycle import Installation

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
    "contact_state": "ok",
}
SECRETS = ("access_token", "refresh_token", "application_token_hash", "refresh_lease_id")


@dataclass
class World:
    """One row, a clock, and all offers so far."""

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
        """Apply the changes as the vault and the statement do; the token itself stands for its hash."""
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
    """Do one step as the application would; return the offer that it made."""
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
    """The page and the event of one installation come in any order, late or twice: the newest pair and token
    stay.
    """
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
