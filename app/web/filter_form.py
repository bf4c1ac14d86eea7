"""The filters' form as it stands: what is set in it, and what there is to choose from."""

from collections.abc import Mapping
from typing import NamedTuple

from app.calls.outcome import DOCUMENTED_CODES
from app.calls.parameters import split_list
from app.calls.reading import RecentValues, list_recent_values
from app.people.department_queries import list_departments
from app.web.columns import Column, list_remaining, read_columns
from app.web.parts import WebParts
from app.web.people import system_user_label
from app.web.presenting import format_number, visible
from app.web.sessions import Session

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
    """The form with what is set in it; it asks for the other choices once it is there."""
    given = dict(parameters)
    chosen = RecentValues(
        {int(value) for value in split_list(given, "operator") if value.isdecimal()},
        {line for line in [given.get("line", "").strip()] if line},
        set(split_list(given, "code")),
    )
    return await _fill(parts, session, given, chosen, view_id)


async def make_choices(parts: WebParts, session: Session, parameters: Mapping[str, str]) -> FilterForm:
    """The form with every choice that the newest calls offer."""
    recent = await list_recent_values(session.viewer)
    chosen = await make_form(parts, session, parameters)
    user_ids = recent.user_ids | {int(option.value) for option in chosen.operators}
    lines = recent.lines | {option.value for option in chosen.lines}
    every = RecentValues(user_ids, lines, recent.codes | set(chosen.codes))
    return await _fill(parts, session, dict(parameters), every, None)


async def _fill(
    parts: WebParts, session: Session, given: dict[str, str], offered: RecentValues, view_id: int | None
) -> FilterForm:
    names = await parts.people.find_names(session.portal, offered.user_ids, system_user_label(session.locale))
    operators = [
        Option(str(user_id), visible(names.get(user_id, ""))) for user_id in sorted(offered.user_ids)
    ]
    operators.sort(key=lambda option: (not option.name, option.name.casefold()))
    lines = session.settings.line_names
    return FilterForm(
        values=given,
        columns=read_columns(given.get("columns", "").split(",")),
        view_id=view_id,
        operators=operators,
        departments=await _list_departments(session),
        lines=[
            Option(line, visible(lines.get(line) or format_number(line))) for line in sorted(offered.lines)
        ],
        codes=sorted({*DOCUMENTED_CODES, *offered.codes}),
    )


async def _list_departments(session: Session) -> list[Option]:
    """The portal's departments, for whoever sees calls of others."""
    if not session.viewer.sees_others:
        return []
    departments = await list_departments(session.portal.id)
    return [Option(str(each.department_id), visible(each.name)) for each in departments]
