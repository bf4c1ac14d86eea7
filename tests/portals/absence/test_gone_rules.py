"""The pure decisions about portals that are gone or silent, over random histories."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.portals.absence.gone_rules import (
    ASK_AGAIN_AFTER_S,
    DAY_S,
    MOST_GONE,
    count_within_a_day,
    is_unlikely,
    plan_next,
)
from app.portals.absence.silence_rules import (
    SILENT_FOR_S,
    WARNED_FOR_S,
    Step,
    decide_silence,
    erased_for_silence_at,
)
from app.portals.model import Portal

START = 1_795_000_000
PORTAL = Portal(
    id=1,
    member_id="0123456789abcdef" * 2,
    is_installed=True,
    generation=1,
    domain="portal.example",
    client_endpoint="https://portal.example/rest/",
    oauth_server="https://oauth.example",
    license_status="L",
    language="en",
    application_token_hash=None,
    token_version=1,
    token_user_id=1,
    access_expires_at=START,
    pair_stored_at=0,
    pair_bought_at=0,
    token_state="reinstall_needed",
    has_dangling_refresh=False,
    refresh_lease_until=0,
    setup="[]",
    installed_at=START,
    uninstalled_at=None,
    erase_at=None,
    last_event_at=None,
    is_lookup_wanted=False,
    people_read_at=0,
    synced_at=None,
    contact_state="ok",
    contact_failures=0,
    contact_retry_at=0,
    contact_since=0,
    license_ends_at=None,
    is_license_over=False,
    app_code="",
    checked_at=0,
    dead_since=START,
    seen_at=0,
    silence_warned_at=0,
)


@given(st.lists(st.integers(START, START + 5 * DAY_S), max_size=30))
def test_the_busiest_day_is_found(times: list[int]) -> None:
    expected = max((sum(first <= at < first + DAY_S for at in times) for first in times), default=0)
    assert count_within_a_day(times) == expected


@pytest.mark.parametrize(
    ("gone", "installed", "expected"),
    [(3, 3, False), (4, 4, True), (4, 399, True), (4, 400, False), (10, 1000, False), (11, 1000, True)],
)
def test_more_than_three_and_more_than_one_percent_are_unlikely(
    gone: int, installed: int, *, expected: bool
) -> None:
    assert is_unlikely(gone, installed) is expected
    assert MOST_GONE == 3


ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 2 * DAY_S)), max_size=30)


@given(ANSWERS)
def test_it_counts_only_after_four_more_like_answers_in_a_day_that_nothing_holds(
    answers: list[tuple[bool, bool, int]],
) -> None:
    """Each question comes late by at most so much, and silences lie anywhere between the answers."""
    attempts, pause_s, now, said = 0, ASK_AGAIN_AFTER_S[0], 0, 0
    for is_said, is_held, late_s in answers:
        now += pause_s + late_s
        said += is_said
        planned = plan_next(attempts, is_said=is_said, is_held=is_held)
        if planned is None:
            assert said >= len(ASK_AGAIN_AFTER_S)
            assert now >= sum(ASK_AGAIN_AFTER_S)
            assert (is_said, is_held) == (True, False)
            return
        assert attempts <= planned[0] < len(ASK_AGAIN_AFTER_S)
        attempts, pause_s = planned
        assert pause_s >= 60


AHEAD_S = 7200
KINDS = ("event", "page", "look", "look", "look", "heal", "die", "clock ahead", "clock back")
MOMENTS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40 * DAY_S)), max_size=40)


@dataclass
class World:
    """One portal, a clock that is sometimes ahead, and the truth."""

    portal: Portal = PORTAL
    now: int = START
    ahead_s: int = 0
    alive_at: int = START
    told_at: int | None = None

    @property
    def shown(self) -> int:
        return self.now + self.ahead_s

    def live(self, **changes: Any) -> None:
        self.portal = replace(self.portal, **changes)
        self.alive_at, self.told_at = self.now, None

    def take(self, kind: str) -> Step:
        """Do one step as the application would; return the decision of a look."""
        match kind:
            case "event":
                self.live(last_event_at=self.shown)
            case "page":
                self.live(seen_at=self.shown)
            case "heal":
                self.live(token_state="ok")
            case "die" if self.portal.token_state == "ok":
                self.live(token_state="reinstall_needed", dead_since=self.shown)
            case "look":
                return self.look()
            case _:
                self.ahead_s = AHEAD_S if kind == "clock ahead" else 0
        return Step.WAIT

    def look(self) -> Step:
        step = decide_silence(self.portal, self.shown)
        if step is Step.WARN:
            self.told_at = self.now
            self.portal = replace(self.portal, silence_warned_at=self.shown)
        return step


@given(MOMENTS)
def test_nothing_is_erased_but_after_90_silent_days_of_which_30_were_told(
    steps: list[tuple[str, int]],
) -> None:
    world = World()
    for kind, after_s in steps:
        world.now += after_s
        if world.take(kind) is Step.ERASE:
            assert world.portal.token_state != "ok"
            assert world.now - world.alive_at >= SILENT_FOR_S - AHEAD_S
            assert world.told_at is not None
            assert world.now - world.told_at >= WARNED_FOR_S - AHEAD_S
            return


def test_a_portal_that_is_looked_at_each_day_is_erased_after_exactly_90() -> None:
    portal = PORTAL
    steps = []
    for day in range(91):
        step = decide_silence(portal, START + day * DAY_S)
        steps.append(step)
        if step is Step.WARN:
            portal = replace(portal, silence_warned_at=START + day * DAY_S)
    assert [steps.index(Step.WARN), steps.index(Step.ERASE)] == [60, 90]
    assert steps.count(Step.WARN) == 1
    assert erased_for_silence_at(portal) == START + SILENT_FOR_S
