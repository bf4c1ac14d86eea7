"""Reading values from the parameters of a request. Pure: each error names the refused parameter."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from typing import TypeVar

from app.kit.calendar import EPOCH
from app.kit.messages.errors import Refusal

INT64_MAX = 2**63 - 1
MAX_TEXT = 255
MAX_CHOICES = 50
_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}")
_CLOCK = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,5}):([0-5][0-9])")
Choice = TypeVar("Choice", bound=str)
Given = Mapping[str, str]


class BadFilter(Refusal):
    """A parameter of a list has a value that it cannot have; the message names the parameter."""

    status = 400
    code = "bad_parameter"


def parse_choice(given: Given, name: str, choices: tuple[Choice, ...]) -> Choice | None:
    """One of the choices, or None without the parameter. Raises BadFilter, as all functions here do."""
    value = given.get(name)
    return None if value is None else _choose(name, value, choices)


def parse_choices(given: Given, name: str, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Any of the choices, which the parameter separates by commas."""
    return tuple(_choose(name, value, choices) for value in split_list(given, name))


def parse_flag(given: Given, name: str, yes: str, no: str) -> bool | None:
    """True for the word `yes`, False for `no`, None without the parameter."""
    value = parse_choice(given, name, (yes, no))
    return None if value is None else value == yes


def parse_number(given: Given, name: str, highest: int) -> int | None:
    """A whole number from 0 to `highest`."""
    value = given.get(name)
    return None if value is None else _to_number(name, value, highest)


def parse_numbers(given: Given, name: str) -> tuple[int, ...]:
    """Whole numbers, separated by commas."""
    return tuple(_to_number(name, value, INT64_MAX) for value in split_list(given, name))


def parse_text(given: Given, name: str) -> str | None:
    """A text of at most 255 characters."""
    value = given.get(name)
    if value is not None and len(value) > MAX_TEXT:
        raise BadFilter(f"{name} may have at most {MAX_TEXT} characters.")
    return value


def parse_texts(given: Given, name: str) -> tuple[str, ...]:
    """Texts, separated by commas."""
    parse_text(given, name)
    return tuple(split_list(given, name))


def parse_duration(given: Given, name: str) -> int | None:
    """A number of seconds. The text may be seconds (`90`), minutes and seconds (`1:30`), or hours, minutes
    and seconds (`1:02:03`).
    """
    value = given.get(name)
    if value is None:
        return None
    clock = _CLOCK.fullmatch(value)
    if clock:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return hours * 3600 + minutes * 60 + seconds
    if _WHOLE_NUMBER.fullmatch(value) and int(value) <= INT64_MAX:
        return int(value)
    raise BadFilter(f"{name} must be a number of seconds, or minutes and seconds: 90 or 1:30.")


def parse_moment(given: Given, name: str, zone: tzinfo) -> int | None:
    """Unix seconds, from a date or a time in ISO 8601. Without an offset, `zone` is its time zone."""
    value = given.get(name)
    if value is None:
        return None
    try:
        if "T" not in value and " " not in value:
            return _parse_day(name, value, zone)
        # In a query a raw plus arrives as a space: 2026-11-23T10:00:00 01:00.
        moment = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", value))
        return to_unix(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise BadFilter(
            f"{name} must be a date (2026-11-23) or a time in ISO 8601 (2026-11-23T10:00:00+01:00)."
        ) from error


def to_unix(moment: datetime) -> int:
    """Whole Unix seconds of an aware time, in any year."""
    return (moment - EPOCH) // timedelta(seconds=1)


def split_list(given: Given, name: str) -> list[str]:
    """The parts of a list in their order, each once; at most 50."""
    parts = [part.strip() for part in given.get(name, "").split(",")]
    values = list(dict.fromkeys(part for part in parts if part))
    if len(values) > MAX_CHOICES:
        raise BadFilter(f"{name} may have at most {MAX_CHOICES} values.")
    return values


def join_lists(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; the values of a name that a form gives several times become a list."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _choose(name: str, value: str, choices: tuple[Choice, ...]) -> Choice:
    for choice in choices:
        if choice == value:
            return choice
    raise BadFilter(f"{name} must be one of: {', '.join(choices)}.")


def _to_number(name: str, value: str, highest: int) -> int:
    if not _WHOLE_NUMBER.fullmatch(value) or int(value) > highest:
        raise BadFilter(f"{name} must be a whole number of at most {highest}.")
    return int(value)


def _parse_day(name: str, value: str, zone: tzinfo) -> int:
    """The first second of the day for `from`. For `to`, the first second of the next day, so that the period
    includes the whole day.
    """
    day = date.fromisoformat(value)
    if name == "to":
        day += timedelta(days=1)
    return to_unix(datetime.combine(day, time.min, tzinfo=zone))
