"""The columns of the log that a user may pick and order. Pure; `call_words` has their names."""

from collections.abc import Iterable
from typing import Literal, get_args

from app.calls.log.selection.cursors import Sort

Column = Literal[
    "time",
    "call",
    "number",
    "operator",
    "department",
    "line",
    "duration",
    "cost",
    "recording",
    "client",
    "vote",
    "comment",
    "code",
]
COLUMNS: tuple[Column, ...] = get_args(Column)
DEFAULT_COLUMNS: tuple[Column, ...] = ("time", "call", "number", "operator", "line", "duration", "cost")
ANCHOR: Column = "number"  # Always there: its button opens the call.
SORT_FIELDS: dict[Column, str] = {"time": "started_at", "duration": "duration_s", "cost": "cost"}
DENSE_FROM = 9  # From this number on, columns stand closer together.


def read_columns(names: Iterable[str]) -> tuple[Column, ...]:
    """The columns of these names in their order, each once; the default columns when no name is known.

    Unknown names are left out, so that a choice that another release saved still opens.
    """
    given = [name.strip() for name in names]
    chosen = [column for name in dict.fromkeys(given) for column in COLUMNS if column == name]
    if not chosen:
        return DEFAULT_COLUMNS
    return tuple(chosen if ANCHOR in chosen else [ANCHOR, *chosen])


def list_remaining(chosen: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns that the user has not chosen."""
    return tuple(column for column in COLUMNS if column not in chosen)


def next_sort(column: Column, current: Sort) -> str:
    """The order after a click on the column's head. The first click sorts the greatest value first, the
    second click the smallest first.
    """
    field = SORT_FIELDS[column]
    return field if current == f"-{field}" else f"-{field}"


def describe_sort(column: Column, current: Sort) -> str:
    """The column's `aria-sort`."""
    field = SORT_FIELDS.get(column)
    return {field: "ascending", f"-{field}": "descending"}.get(current, "none")
