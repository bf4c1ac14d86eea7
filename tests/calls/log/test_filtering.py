"""The database finds the same calls as the same filters in Python, for any calls and filters."""

import random
from collections.abc import AsyncIterator
from typing import Any, get_args

import pytest

from app.calls.log.logged_calls import Viewer, list_calls
from app.calls.log.selection.cursors import SORTS, Sort
from app.calls.log.selection.filters import Filters, ListRequest
from app.calls.log.selection.number_search import search_patterns
from app.calls.store.outcome import DIRECTIONS, OUTCOMES, Direction, Outcome, direction_of, outcome_of
from app.kit.storage.database import Database
from app.portals.settings.visible_users import EVERYONE, Visible
from app.tables import TABLES
from tests.web.logged_calls import NOW, insert_calls

PORTAL, OTHER_PORTAL = 7, 8
CODES = ("200", "304", "486", "480", "603", "603-S", "OTHER", "x\x00", "", None)
NUMBERS = ("+493023125312", "+14155550142", "104", "hidden", "100%_!", "", None)
LINES = ("reg1", "+493023125000", None)
# Department 20 lies below 10, 30 lies below itself, and another portal has a 20 too.
STAFF = {10: (1, 2), 20: (2,), 30: (3,)}
_DEPARTMENTS = f"({PORTAL}, 10, 'A', NULL), ({PORTAL}, 20, 'B', 10), ({PORTAL}, 30, 'C', 30)"
_MEMBERS = f"({PORTAL}, 10, 1), ({PORTAL}, 20, 2), ({PORTAL}, 30, 3), ({OTHER_PORTAL}, 20, 1)"
_FIELDS = "portal_id, department_id, name, parent_id"
STRUCTURE = (
    f"INSERT INTO departments ({_FIELDS}) VALUES {_DEPARTMENTS}, ({OTHER_PORTAL}, 20, 'D', NULL)",
    f"INSERT INTO department_members (portal_id, department_id, user_id) VALUES {_MEMBERS}",
)
SEEN: tuple[Visible, ...] = (EVERYONE, frozenset({1}), frozenset({1, 2, 99}), frozenset())


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, TABLES)
    await opened.open()
    yield opened
    await opened.close()


def invent_calls(chance: random.Random, count: int) -> list[dict[str, Any]]:
    return [
        {
            "call_id": str(number),
            "portal_id": chance.choice((PORTAL, PORTAL, PORTAL, OTHER_PORTAL)),
            "type": chance.choice((1, 2, 3, 4, 5, 9, None)),
            "code": chance.choice(CODES),
            "phone_number": chance.choice(NUMBERS),
            "portal_number": chance.choice(LINES),
            "user_id": chance.choice((1, 2, 3, None)),
            "started_at": NOW - chance.randint(0, 40),
            "duration_s": chance.choice((None, 0, 7, 90, 3600)),
            "cost_e4": chance.choice((None, 0, 145, 12_000)),
            "crm_entity_type": chance.choice((None, "", "CONTACT")),
            "crm_entity_id": chance.choice((None, 5)),
            "has_recording": chance.random() < 0.5,
        }
        for number in range(count)
    ]


def invent_filters(chance: random.Random) -> Filters:
    def perhaps(value: Any, none: Any = None) -> Any:
        return value if chance.random() < 0.2 else none

    return Filters(
        since=perhaps(NOW - chance.randint(0, 40)),
        until=perhaps(NOW - chance.randint(0, 40)),
        direction=perhaps(chance.choice(DIRECTIONS)),
        outcomes=perhaps(tuple(chance.sample(OUTCOMES, chance.randint(1, 3))), ()),
        codes=perhaps(tuple(code for code in chance.sample(CODES, 2) if code), ()),
        user_ids=perhaps(tuple(chance.sample((1, 2, 3, 4), chance.randint(1, 2))), ()),
        department_ids=perhaps(
            chance.choice(
                ((10,), (20,), (30,), (20, 99)),
            ),
            (),
        ),
        line=perhaps(chance.choice(("reg1", "reg"))),
        duration_from=perhaps(chance.choice((0, 8, 90))),
        duration_to=perhaps(chance.choice((0, 89, 90))),
        has_recording=perhaps(chance.random() < 0.5),
        has_client=perhaps(chance.random() < 0.5),
        text=perhaps(chance.choice(("030 23", "10", "HID", "%_", "+", "555 01"))),
    )


def is_wanted(call: dict[str, Any], filters: Filters) -> bool:
    outcome: Outcome = outcome_of(call["type"], call["code"]) or "unknown"
    direction: Direction | None = direction_of(call["type"])
    duration, client = call["duration_s"], bool(call["crm_entity_type"]) and call["crm_entity_id"] is not None
    return all(
        (
            filters.since is None or call["started_at"] >= filters.since,
            filters.until is None or call["started_at"] < filters.until,
            filters.direction in {None, direction},
            not (filters.outcomes or filters.codes)
            or outcome in filters.outcomes
            or call["code"] in filters.codes,
            not filters.user_ids or call["user_id"] in filters.user_ids,
            not filters.department_ids
            or any(call["user_id"] in STAFF.get(each, ()) for each in filters.department_ids),
            filters.line in {None, call["portal_number"]},
            filters.duration_from is None or (duration is not None and duration >= filters.duration_from),
            filters.duration_to is None or (duration is not None and duration <= filters.duration_to),
            filters.has_recording in {None, call["has_recording"]},
            filters.has_client in {None, client},
            filters.text is None or has_number(call["phone_number"] or "", filters.text),
        )
    )


def has_number(number: str, text: str) -> bool:
    kind, patterns = search_patterns(text)
    digits = "".join(character for character in number if character.isdigit())
    return any(pattern in (digits if kind == "digits" else number.lower()) for pattern in patterns)


def is_seen(call: dict[str, Any], visible: Visible) -> bool:
    return visible is EVERYONE or call["user_id"] in visible


def sort_key(call: dict[str, Any], sort: Sort) -> int:
    value: int | None = call["cost_e4" if sort.endswith("cost") else sort.lstrip("-")]
    return -1 if value is None else value


async def read_all(viewer: Viewer, request: ListRequest) -> list[str]:
    page = await list_calls(viewer, request)
    assert page.next_cursor is None
    return [call.call_id for call in page.calls]


@pytest.mark.parametrize("seed", range(6))
async def test_a_filtered_list_is_what_a_filter_in_python_leaves(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    calls = invent_calls(chance, 120)
    await insert_calls(PORTAL, *calls)
    for statement in STRUCTURE:
        await database.run(statement)
    found = 0
    for _ in range(120):
        filters, sort, visible = invent_filters(chance), chance.choice(SORTS), chance.choice(SEEN)
        wanted = [
            (sort_key(call, sort), number, call["call_id"])
            for number, call in enumerate(calls)
            if call["portal_id"] == PORTAL and is_seen(call, visible) and is_wanted(call, filters)
        ]
        expected = [call_id for *_, call_id in sorted(wanted, reverse=sort.startswith("-"))]
        request = ListRequest(filters, sort, limit=500)
        assert await read_all(Viewer(PORTAL, 1, visible), request) == expected, (filters, sort)
        found += len(expected)
    assert found


async def test_every_outcome_and_direction_is_among_these(database: Database) -> None:
    """Without all of them the test above would prove less than it says."""
    calls = invent_calls(random.Random(0), 400)
    assert {outcome_of(call["type"], call["code"]) or "unknown" for call in calls} == set(get_args(Outcome))
    assert {direction_of(call["type"]) for call in calls} == {*get_args(Direction), None}
