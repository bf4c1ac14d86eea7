"""Places at a shared resource: never more than allowed, and never most of them for a few portals."""

from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.fairness.places import Bounds, NoPlace, Places, Sentences

BOUNDS = Bounds(overall=12, per_portal=5, per_user=2)
# Few portals with new users each time, as an attacker would invent them; True is to leave again.
STEPS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 10**6) | st.integers(1, 3), st.booleans()))


def fill(places: Places, stack: ExitStack, portal_id: int, count: int) -> None:
    for user_id in range(count):
        stack.enter_context(places.take(portal_id, user_id))


def test_a_user_a_portal_of_invented_users_and_all_together_have_a_bound() -> None:
    sentences = Sentences(code="too_many", user="you", portal="yours", overall="all", retry_after_s=7)
    places = Places(BOUNDS, sentences)
    with ExitStack() as stack:
        fill(places, stack, 1, 5)
        with pytest.raises(NoPlace, match="yours") as refused, places.take(1, 10**9):
            pass
        assert (refused.value.status, refused.value.code) == (429, "too_many")
        fill(places, stack, 2, 1)
        places.bounds = BOUNDS._replace(per_user=1)
        with pytest.raises(NoPlace, match="you") as refused, places.take(2, 0):
            pass
        assert (refused.value.status, refused.value.code) == (429, "too_many")
        for portal_id in range(3, 9):
            fill(places, stack, portal_id, 1)
        with pytest.raises(NoPlace, match="all") as refused, places.take(9, 1):
            pass
        assert (refused.value.status, refused.value.retry_after_s) == (503, 7)
    assert places.count == 0


@given(STEPS)
def test_a_few_portals_never_hold_more_than_half_and_one_place_each(
    steps: list[tuple[int, int, bool]],
) -> None:
    """The oracle counts by itself; a portal that holds nothing finds a place if one is free."""
    places, held = Places(BOUNDS), Counter[tuple[int, int]]()
    for portal_id, user_id, is_leaving in steps:
        if is_leaving and held[portal_id, user_id]:
            places.leave(portal_id, user_id)
            held[portal_id, user_id] -= 1
        elif places.find_full(portal_id, user_id) is None:
            places.enter(portal_id, user_id)
            held[portal_id, user_id] += 1
        by_portal = Counter[int]()
        for (holder, _), count in held.items():
            by_portal[holder] += count
            assert count <= BOUNDS.per_user
        holders = [count for count in by_portal.values() if count]
        assert places.count == sum(holders) <= BOUNDS.overall // 2 + len(holders)
        assert max(holders, default=0) <= BOUNDS.per_portal
        assert places.find_full(99, 1) is None
    for (portal_id, user_id), count in held.items():
        for _ in range(count):
            places.leave(portal_id, user_id)
    assert places.count == 0
