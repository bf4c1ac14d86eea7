"""The form of the filters: the values that are set, and the choices."""

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

MOST_DEPARTMENTS = 2_000  # A menu with more of them helps nobody.
MORE_FIELDS = ("department", "line", "duration_from", "duration_to", "recording", "client")


class Option(NamedTuple):
    """One choice: its value, and its name, empty if it has none."""

    value: str
    name: str


class FilterForm(NamedTuple):
    """The values of the form's template."""

    values: dict[str, str]
    columns: tuple[Column, ...]
    view_id: int | None
    operators: list[Option]
    departments: list[Option]
    lines: list[Option]
    codes: list[str]

    def value(self, name: str) -> str:
        """The value of a control; empty if it is not set."""
        return self.values.get(name, "")

    def has(self, name: str, value: str) -> bool:
        """Whether one of several choices is set."""
        return value in split_list(self.values, name)

    @property
    def is_more_set(self) -> bool:
        """Whether one of the filters is set that the form hides behind "More filters"."""
        return any(self.value(name) for name in MORE_FIELDS)

    @property
    def remaining_columns(self) -> tuple[Column, ...]:
        """The columns that the table does not show."""
        return list_remaining(self.columns)


async def make_form(
    parts: WebParts, session: Session, parameters: Mapping[str, str], view_id: int | None = None
) -> FilterForm:
    """The form with its set values; the page asks for the other choices later. Raises BadFilter."""
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
    """The employees by name. An id that only the request names is among them too, with its name if the viewer
    may see its calls.
    """
    names = await name_users(parts, session, recent, chosen)
    every = sorted(recent.union(chosen))
    operators = [Option(str(user_id), visible(names.get(user_id, ""))) for user_id in every]
    operators.sort(key=lambda option: (not option.name, option.name.casefold()))
    return operators


async def _list_departments(session: Session) -> list[Option]:
    """The departments whose members' calls the viewer may see; none if the viewer sees nobody else's."""
    if not session.viewer.sees_others:
        return []
    departments = await list_seen_departments(session.portal.id, session.viewer.sees)
    return [
        Option(str(each.department_id), visible(shorten(each.name, LONGEST_NAME)))
        for each in departments[:MOST_DEPARTMENTS]
    ]
