"""Turns of portals: one place each, one turn of a kind at a time, and long turns wait behind the others."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from app.kit.fairness import turns
from app.kit.fairness.background import Background
from app.kit.fairness.lanes import find_lane
from app.kit.fairness.turns import Kind, PortalTurns
from tests.patience import PATIENCE_S

SOME = Kind(name="some", places=2)
LATER_S = 0.0


class Portals:
    """Portals, of which some hold their answers back until the test releases them."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked: Counter[int] = Counter()
        self.under_way: Counter[int] = Counter()
        self.most_at_once = 0

    def hold(self, portal_id: int) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            self.asked[portal_id] += 1
            self.under_way[portal_id] += 1
            self.most_at_once = max(self.most_at_once, self.under_way.total())
            await self.may_answer.wait()
            self.under_way[portal_id] -= 1

        return work

    def answer(self, portal_id: int) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            self.asked[portal_id] += 1

        return work


@pytest.fixture
def background() -> Background:
    return Background()


@pytest.fixture
def given(background: Background) -> PortalTurns:
    return PortalTurns(background)


async def settle(rounds: int = 50) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_a_portal_that_never_answers_has_one_turn_of_a_kind(
    given: PortalTurns, background: Background
) -> None:
    portals = Portals()
    for _ in range(5):
        given.begin_all(SOME, [1, 2], lambda portal_id: portals.hold(portal_id)())
        given.begin(Kind(name="other"), 1, portals.answer(3))
        await settle()
    assert portals.asked == {1: 1, 2: 1, 3: 5}
    portals.may_answer.set()
    await background.drain(5)
    given.begin(SOME, 1, portals.answer(1))
    await background.drain(5)
    assert portals.asked[1] == 2


async def test_any_number_that_hold_their_answers_are_overtaken(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their first turns give way when they last; their next turns wait behind each other."""
    monkeypatch.setattr(turns, "QUICK_S", LATER_S)
    portals, hostile = Portals(), range(10, 16)
    for portal_id in hostile:
        given.begin(SOME, portal_id, portals.hold(portal_id))
    await settle()
    portals.may_answer.set()
    await background.drain(5)
    assert portals.most_at_once <= SOME.places * (1 + turns.LASTING)
    portals.may_answer.clear()
    monkeypatch.setattr(turns, "QUICK_S", 60.0)
    portals.asked.clear()
    for portal_id in hostile:
        given.begin(SOME, portal_id, portals.hold(portal_id))
    for number in range(3):
        await given.begin(SOME, number, portals.answer(number))
    assert [portals.asked[number] for number in range(3)] == [1, 1, 1]
    assert sum(portals.asked[portal_id] for portal_id in hostile) == SOME.places * turns.LASTING
    portals.may_answer.set()
    await background.drain(5)
    assert all(portals.asked[portal_id] == 1 for portal_id in hostile)


async def test_a_turn_that_lasts_frees_its_place_for_those_that_begin(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "QUICK_S", LATER_S)
    portals = Portals()
    for portal_id in range(10, 10 + SOME.places * turns.LASTING):
        given.begin(SOME, portal_id, portals.hold(portal_id))
    async with asyncio.timeout(PATIENCE_S):
        await given.begin(SOME, 1, portals.answer(1))
    assert portals.under_way.total() == SOME.places * turns.LASTING
    portals.may_answer.set()
    await background.drain(5)


async def test_a_portal_is_forgiven_by_a_short_turn(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "QUICK_S", LATER_S)
    portals = Portals()
    await given.begin(SOME, 1, portals.answer(1))  # It was a long turn: any time is long now.
    monkeypatch.setattr(turns, "QUICK_S", 60.0)
    await given.begin(SOME, 1, portals.answer(1))  # It is one of the long turns, and short.
    for portal_id in (2, 3):
        given.begin(SOME, portal_id, portals.hold(portal_id))
    waiting = given.begin(SOME, 1, portals.answer(1))
    await settle()
    assert not waiting.done()  # The places to begin are taken, so it waits like all others.
    portals.may_answer.set()
    await background.drain(5)


async def test_what_differs_follows_and_only_the_newest_of_it(
    given: PortalTurns, background: Background
) -> None:
    portals = Portals()
    given.begin(SOME, 1, portals.hold(1))
    await settle()
    for name in (7, 8, 9):
        given.begin(SOME, 1, portals.answer(name), is_news=True)
    given.begin(SOME, 1, portals.answer(6))
    portals.may_answer.set()
    await background.drain(5)
    assert portals.asked == {1: 1, 9: 1}


async def test_a_turn_that_never_ends_is_cut_off_and_said_so(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST_S", LATER_S)
    portals = Portals()
    with capture_logs() as logs:
        await given.begin(SOME, 1, portals.hold(1))
        await given.begin(Kind(name="short", longest_s=LATER_S), 2, portals.hold(2))
    assert [entry["portal_id"] for entry in logs if entry["event"] == "a portal's turn was cut off"] == [1, 2]


async def test_a_portal_that_waits_while_all_places_are_held_gets_that_of_the_longest_turn(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Portals that held their answers back once kept all places until their turns were cut off."""
    monkeypatch.setattr(turns, "QUICK_S", LATER_S)
    portals, hostile = Portals(), range(10, 10 + SOME.places * (1 + turns.LASTING))
    held = [given.begin(SOME, portal_id, portals.hold(portal_id)) for portal_id in hostile]
    await settle()
    async with asyncio.timeout(PATIENCE_S):
        for number in range(3):
            await given.begin(SOME, number, portals.answer(number))
    # It freed a place for all portals.
    assert [task.done() for task in held] == [True] + [False] * (len(held) - 1)
    portals.may_answer.set()
    await background.drain(5)


async def test_a_turn_of_the_usual_length_is_no_long_one_and_is_not_cut_off(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "QUICK_S", LATER_S)
    slices = Kind(name="slices", places=1, usual_s=60.0)
    portals, all_places = Portals(), slices.places * (1 + turns.LASTING)
    held = [given.begin(slices, portal_id, portals.hold(portal_id)) for portal_id in range(all_places)]
    await settle()
    waiting = given.begin(slices, 99, portals.answer(99))
    await settle()
    assert not any(task.done() for task in (*held, waiting))
    portals.may_answer.set()
    await background.drain(5)
    assert portals.asked.total() == all_places + 1
    portals.may_answer.clear()
    blocking = [given.begin(slices, portal_id, portals.hold(portal_id)) for portal_id in range(all_places)]
    await settle()
    assert portals.under_way.total() == all_places  # Not in the places for portals with a long last turn.
    portals.may_answer.set()
    await asyncio.gather(*blocking)


async def test_a_turn_that_is_spared_no_more_makes_way_and_waits_behind_the_others_next(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that was cut off comes again, and takes no place from those that begin."""
    monkeypatch.setattr(turns, "QUICK_S", LATER_S)
    slices = Kind(name="slices", places=1, usual_s=60.0, spared_s=LATER_S)
    portals, endless = Portals(), range(10, 10 + slices.places * (1 + turns.LASTING))
    for portal_id in endless:
        given.begin(slices, portal_id, portals.hold(portal_id))
    await settle()
    with capture_logs() as logs:
        async with asyncio.timeout(PATIENCE_S):
            for portal_id in range(3):
                await given.begin(slices, portal_id, portals.answer(portal_id))
                given.begin(slices, endless[0], portals.hold(endless[0]))
                await settle()
    assert [entry["portal_id"] for entry in logs] == [endless[0]]
    assert portals.asked[endless[0]] == 2
    portals.may_answer.set()
    await background.drain(5)


async def test_queries_of_a_turn_that_lasts_make_way_and_those_of_what_it_spawns_do_not(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They give way from QUICK_S on, or from the beginning if the portal's last turn was long."""
    seen: list[bool] = []

    async def look() -> None:
        lane = find_lane()
        seen.append(lane is not None and lane.is_lasting)

    async def work() -> None:
        await look()
        await background.spawn("apart", look())

    await given.begin(SOME, 1, work)
    assert seen == [False, False]
    monkeypatch.setattr(turns, "QUICK_S", LATER_S)
    await given.begin(SOME, 2, work)
    monkeypatch.setattr(turns, "QUICK_S", 60.0)
    await given.begin(SOME, 2, work)  # The last turn is remembered.
    await given.begin(SOME, 3, work)
    assert seen == [False, False, True, False, True, False, False, False]


async def test_a_turn_that_is_spared_no_more_is_no_long_one_where_nobody_waits(
    given: PortalTurns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "QUICK_S", 60.0)
    slices = Kind(name="slices", places=1, usual_s=60.0, spared_s=LATER_S)
    lasting: list[bool] = []

    async def work() -> None:
        lane = find_lane()
        lasting.append(lane is not None and lane.is_lasting)

    for _ in range(2):
        await given.begin(slices, 1, work)
    assert lasting == [False, False]


async def test_what_waits_when_the_process_ends_has_no_turn(
    given: PortalTurns, background: Background
) -> None:
    portals = Portals()
    for portal_id in range(10):
        given.begin(SOME, portal_id, portals.hold(portal_id))
    await settle()
    portals.may_answer.set()
    await given.stop()
    await background.drain(5)
    assert portals.asked.total() == SOME.places


async def test_a_turn_that_lasts_is_cut_off_when_the_process_ends(
    given: PortalTurns, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "STOP_S", LATER_S)
    turn = given.begin(SOME, 1, Portals().hold(1))
    await settle()
    await given.stop()
    await background.drain(5)
    assert turn.cancelled()
