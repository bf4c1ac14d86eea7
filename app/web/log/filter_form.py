"""The filters' form as it stands: what is set in it, and what there is to choose from."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.calls.log.columns import Column, list_remaining, read_columns
from app.calls.log.logged_calls import RecentValues, list_recent_values
from app.calls.log.selection.parameters import parse_numbers, split_list
from app.calls.store.outcome import DOCUMENTED_CODES
from app.kit.text import shorten
from app.people.department_queries import LONGEST_NAME, list_seen_departments
from app.web.display.people_names import name_users
from app.web.display.presenter import format_number, visible
from app.web.http.parts import WebParts
from app.web.http.sessions import Session

MOST_DEPARTMENTS = 2_000  # Nobody finds one among more of them in a menu.
MORE_FIELDS = ("department", "line", "duration_from", "duration_to", "recording", "client")


class Option(NamedTuple):
    """One choice: its value, and its name, empty where it has none."""

    value: str
    name: str


class FilterForm(NamedTuple):
    """The form's template shows this."""

    values: dict[str, str]
    columns: tuple[Column, ...]
    view_id: int | None
    operators: list[Option]
    departments: list[Option]
    lines: list[Option]
    codes: list[str]

    def value(self, name: str) -> str:
        """What a control is set to."""
        return self.values.get(name, "")

    def has(self, name: str, value: str) -> bool:
        """Whether a choice among several is set."""
        return value in split_list(self.values, name)

    @property
    def is_more_set(self) -> bool:
        """Whether a filter is set that is not always in sight."""
        return any(self.value(name) for name in MORE_FIELDS)

    @property
    def remaining_columns(self) -> tuple[Column, ...]:
        """Columns that are not shown."""
        return list_remaining(self.columns)


async def make_form(
    parts: WebParts, session: Session, parameters: Mapping[str, str], view_id: int | None = None
) -> FilterForm:
    """The form with what is set in it; it asks for the other choices once it is there. Raises BadFilter."""
    return await _fill(parts, session, dict(parameters), RecentValues(set(), set(), set()), view_id)


async def make_choices(parts: WebParts, session: Session, parameters: Mapping[str, str]) -> FilterForm:
    """The form with every choice that the newest calls offer. Raises BadFilter."""
    recent = await list_recent_values(session.viewer)
    return await _fill(parts, session, dict(parameters), recent, None)


async def _fill(
    parts: WebParts, session: Session, given: dict[str, str], recent: RecentValues, view_id: int | None
) -> FilterForm:
    lines, line = session.settings.line_names, given.get("line", "").strip()
    return FilterForm(
        values=given,
        columns=read_columns(given.get("columns", "").split(",")),
        view_id=view_id,
        operators=await _list_operators(parts, session, recent.user_ids, parse_numbers(given, "operator")),
        departments=await _list_departments(session),
        lines=[
            Option(each, visible(lines.get(each) or format_number(each)))
            for each in sorted(recent.lines | ({line} if line else set()))
        ],
        codes=sorted({*DOCUMENTED_CODES, *recent.codes, *split_list(given, "code")}),
    )


async def _list_operators(
    parts: WebParts, session: Session, recent: set[int], chosen: Iterable[int]
) -> list[Option]:
    """By name. An id that was only asked for is there too, and has its name if its calls may be seen."""
    names = await name_users(parts, session, recent, chosen)
    every = sorted(recent.union(chosen))
    operators = [Option(str(user_id), visible(names.get(user_id, ""))) for user_id in every]
    operators.sort(key=lambda option: (not option.name, option.name.casefold()))
    return operators


async def _list_departments(session: Session) -> list[Option]:
    """The departments whose members' calls may be seen, for whoever sees calls of others."""
    if not session.viewer.sees_others:
        return []
    departments = await list_seen_departments(session.portal.id, session.viewer.sees)
    return [
        Option(str(each.department_id), visible(shorten(each.name, LONGEST_NAME)))
        for each in departments[:MOST_DEPARTMENTS]
    ]
