"""The active filters as chips, small labels that remove them. Pure; the templates have the words."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.calls.log.selection.filters import Filters
from app.calls.log.selection.periods import FREE_PERIOD
from app.web.display.presenter import Presenter, format_duration, visible


class Chip(NamedTuple):
    """One active filter. `field` and `value` name its control, `text` is its value for people."""

    field: str
    value: str
    text: str = ""


class Names(NamedTuple):
    """Names of users and departments by id."""

    users: Mapping[int, str]
    departments: Mapping[int, str]


def list_chips(
    filters: Filters, parameters: Mapping[str, str], names: Names, presenter: Presenter
) -> list[Chip]:
    """The chips of all active filters, in the order of the form's controls."""
    return [
        *_list_times(filters, parameters.get("period", "").strip(), presenter),
        *_list_kinds(filters, names, presenter),
        *_list_facts(filters),
    ]


def _list_times(filters: Filters, period: str, presenter: Presenter) -> Iterator[Chip]:
    if filters.text:
        yield Chip("q", "", visible(filters.text))
    if period and period != FREE_PERIOD:
        yield Chip("period", period)
        return
    if filters.since is not None:
        yield Chip("from", "", presenter.describe_moment(filters.since).full_date)
    if filters.until is not None:
        yield Chip("to", "", presenter.describe_moment(filters.until - 1).full_date)


def _list_kinds(filters: Filters, names: Names, presenter: Presenter) -> Iterator[Chip]:
    if filters.direction:
        yield Chip("direction", filters.direction)
    for outcome in filters.outcomes:
        yield Chip("outcome", outcome)
    for code in filters.codes:
        yield Chip("code", code, visible(code))
    for user_id in filters.user_ids:
        yield Chip("operator", str(user_id), visible(names.users.get(user_id, "")))
    for department_id in filters.department_ids:
        yield Chip("department", str(department_id), visible(names.departments.get(department_id, "")))
    if filters.line:
        yield Chip("line", "", presenter.name_line(filters.line) or "")


def _list_facts(filters: Filters) -> Iterator[Chip]:
    if filters.duration_from is not None:
        yield Chip("duration_from", "", format_duration(filters.duration_from))
    if filters.duration_to is not None:
        yield Chip("duration_to", "", format_duration(filters.duration_to))
    if filters.has_recording is not None:
        yield Chip("recording", "true" if filters.has_recording else "false")
    if filters.has_client is not None:
        yield Chip("client", "known" if filters.has_client else "unknown")
