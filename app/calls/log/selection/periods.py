"""Periods that a person picks by name. Pure: the caller says which day today is."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, get_args

from app.calls.log.selection.parameters import BadFilter

Period = Literal["today", "yesterday", "week", "month", "this_month", "last_month"]
PERIODS: tuple[Period, ...] = get_args(Period)
FREE_PERIOD = "free"


def apply_period(parameters: Mapping[str, str], today: date) -> dict[str, str]:
    """The parameters with `period` turned into `from` and `to`; the dates that the user typed count only if
    `period` is `free` or is not given. Raises BadFilter for an unknown period.
    """
    given = dict(parameters)
    chosen = given.pop("period", "").strip()
    if chosen == FREE_PERIOD:
        return given
    if "period" in parameters:
        given.pop("to", None)
        given.pop("from", None)
    if chosen:
        first, last = days_of(chosen, today)
        given["from"] = first.isoformat()
        if last is not None:
            given["to"] = last.isoformat()
    return given


def days_of(period: str, today: date) -> tuple[date, date | None]:
    """The first and the last day of a period; the last day is None if the period includes today. Raises
    BadFilter.
    """
    first_of_month = today.replace(day=1)
    match period:
        case "today":
            return today, None
        case "yesterday":
            return today - timedelta(days=1), today - timedelta(days=1)
        case "week":
            return today - timedelta(days=6), None
        case "month":
            return today - timedelta(days=29), None
        case "this_month":
            return first_of_month, None
        case "last_month":
            last = first_of_month - timedelta(days=1)
            return last.replace(day=1), last
    raise BadFilter(f"period must be one of: {', '.join(PERIODS)}, {FREE_PERIOD}.")
