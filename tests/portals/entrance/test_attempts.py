"""The budgets of questions: an attacker from many networks stops no portal that asks from another one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kit.fairness.budget import Limits
from app.kit.messages.errors import TooManyRequests
from app.portals.entrance.admission import REFUSED_OF_PORTAL, Admission, Claim
from app.portals.entrance.attempts import FairBudget
from app.portals.entrance.standing import Standing
from tests.running import FakeClock, limit_questions

KEPT = 8
IN_ALL = 4 * KEPT
LIMITS = limit_questions(IN_ALL)
GROUPS = st.integers(0, KEPT - 2)  # Fewer than the attempts that are kept for new groups.
STEPS = st.lists(st.tuples(GROUPS, st.integers(0, 20), st.integers(0, 3)), max_size=200)


def make_claim(member_id: str, access_token: str, source: str, standing: Standing) -> Claim:
    return Claim(
        member_id=member_id,
        access_token=access_token,
        server_endpoint=None,
        client_address=source,
        standing=standing,
    )


def take(budget: FairBudget, group: str, member: str) -> bool:
    try:
        budget.take(group, member)
    except TooManyRequests:
        return False
    return True


@given(STEPS)
def test_a_member_without_attempts_has_one_despite_the_attempts_of_a_few_others(
    steps: list[tuple[int, int, int]],
) -> None:
    clock = FakeClock()
    budget = FairBudget(clock, IN_ALL, IN_ALL)
    taken, minute = 0, clock.now() // 60
    for group, member, passed_s in steps:
        clock.advance(passed_s)
        if clock.now() // 60 != minute:
            taken, minute = 0, clock.now() // 60
        taken += take(budget, f"group {group}", f"member {member}")
        assert taken <= IN_ALL
        attempt = budget.take("honest", "one")
        budget.give_back(attempt)


@given(st.lists(st.tuples(st.integers(0, KEPT - 2), st.integers(0, 3)), max_size=200))
def test_nor_does_one_of_a_group_take_all_from_the_rest_of_it(steps: list[tuple[int, int]]) -> None:
    clock = FakeClock()
    budget = FairBudget(clock, 1_000, IN_ALL)
    for member, passed_s in steps:
        clock.advance(passed_s)
        take(budget, "group", f"member {member}")
        budget.give_back(budget.take("group", "honest"))


def test_an_attempt_may_come_back_with_the_next_minute_and_is_given_back_once(clock: FakeClock) -> None:
    budget = FairBudget(clock, 2, 2)
    clock.at = 60 * 1_000_000 + 45
    attempt = budget.take("one", "a")
    with pytest.raises(TooManyRequests) as refusal:
        budget.take("one", "a")
    assert refusal.value.retry_after_s == 15
    clock.advance(15)
    budget.take("one", "a")
    budget.give_back(attempt)  # An attempt of the last minute frees nothing in this one.
    with pytest.raises(TooManyRequests):
        budget.take("one", "a")


ATTACKERS = st.tuples(
    st.integers(100, 101),
    GROUPS,
    st.integers(0, 250),
    st.integers(0, 5),
    st.sampled_from([Standing.STRANGER, Standing.KNOWN]),
)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(ATTACKERS, st.integers(0, 2)), min_size=40, max_size=60), st.booleans(), st.booleans()
)
def test_an_attacker_from_many_networks_stops_no_known_portal_from_another_network(
    attempts: list[tuple[tuple[int, int, int, int, Standing], int]],
    is_welcome: bool,  # noqa: FBT001  Hypothesis gives it.
    is_proven: bool,  # noqa: FBT001
) -> None:
    """The attacker may name strangers, other portals, or this portal."""
    clock = FakeClock()
    admission = Admission(clock, LIMITS)
    standing = Standing.PROVEN if is_proven else Standing.KNOWN
    honest = make_claim("member 0", "a" * 40, "203.0.113.9", standing)
    if is_welcome:
        admission.welcome(honest)
    asked, minute = 0, clock.now() // 60
    for (provider, network, address, member, standing_of_attacker), passed_s in attempts:
        clock.advance(passed_s)
        if clock.now() // 60 != minute:
            asked, minute = 0, clock.now() // 60
        forged = make_claim(
            f"member {member}", "b" * 40, f"{provider}.51.{network}.{address}", standing_of_attacker
        )
        try:
            admission.admit(forged)
            asked += 1
        except TooManyRequests:
            pass
        assert asked <= 2 * IN_ALL
        admission.admit(honest)()
        newcomer = make_claim("member 99", "c" * 40, "100.64.0.1", Standing.STRANGER)
        admission.admit(newcomer)()


def ask(admission: Admission, claim: Claim) -> bool:
    try:
        admission.admit(claim)
    except TooManyRequests:
        return False
    return True


def guess(admission: Admission, member: str, source: str, standing: Standing, times: int) -> int:
    """The number of questions that so many guesses cause, one after the other."""
    asked = 0
    for number in range(times):
        claim = make_claim(member, f"{member}{source}{number}", source, standing)
        if ask(admission, claim):
            admission.reject(claim)
            asked += 1
    return asked


@pytest.mark.parametrize("is_burst", [False, True], ids=["one after another", "all at once"])
def test_two_portals_whose_own_people_guess_leave_others_their_colleagues(
    clock: FakeClock, *, is_burst: bool
) -> None:
    admission = Admission(clock, Limits())
    for trial in ("a" * 32, "b" * 32):
        if is_burst:
            claims = [make_claim(trial, f"{n}", "198.51.100.1", Standing.PROVEN) for n in range(500)]
            asked = [claim for claim in claims if ask(admission, claim)]
            for claim in asked:
                admission.reject(claim)
        else:
            assert guess(admission, trial, "198.51.100.1", Standing.PROVEN, 500) <= 60 + REFUSED_OF_PORTAL
    admission.welcome(make_claim("c" * 32, "t", "203.0.113.1", Standing.KNOWN))
    visitors = [make_claim("c" * 32, f"t{n}", "203.0.113.1", Standing.KNOWN) for n in range(8)]
    assert all(ask(admission, visitor) for visitor in visitors)


def test_expired_tokens_do_not_use_up_their_portals_minute(clock: FakeClock) -> None:
    admission = Admission(clock, Limits())
    for trial in range(4):
        guess(admission, f"{trial}" * 32, f"198.{trial}.100.1", Standing.PROVEN, 500)
    guess(admission, "c" * 32, "203.0.113.1", Standing.PROVEN, 3)
    assert ask(admission, make_claim("c" * 32, "good", "203.0.113.1", Standing.PROVEN))


def test_a_portal_whose_people_guess_without_end_is_counted_like_one_that_others_name(
    clock: FakeClock,
) -> None:
    admission = Admission(clock, Limits())
    guess(admission, "a" * 32, "198.51.100.1", Standing.PROVEN, 500)
    assert not ask(admission, make_claim("a" * 32, "good", "198.51.100.1", Standing.PROVEN))
    assert ask(admission, make_claim("a" * 32, "good", "203.0.113.1", Standing.PROVEN))
    clock.advance(60)
    assert ask(admission, make_claim("a" * 32, "good", "198.51.100.1", Standing.PROVEN))


@pytest.mark.parametrize("source", ["2001:db8:{0:x}::1", "198.51.{0}.1"])
@pytest.mark.parametrize("standing", [Standing.STRANGER, Standing.KNOWN])
def test_all_networks_of_one_provider_leave_half_to_others(
    clock: FakeClock, source: str, standing: Standing
) -> None:
    limits = Limits()
    admission = Admission(clock, limits)
    of_all = limits.questions_of_strangers if standing is Standing.STRANGER else limits.questions_about_known
    asked = [
        ask(admission, make_claim(f"{n:032x}", f"{n}", source.format(n % 256), standing))
        for n in range(1_000)
    ]
    assert sum(asked) <= of_all // 2
    for n in range(20):
        assert ask(admission, make_claim("9" * 32, "honest", f"203.{n}.113.1", standing))
