"""What a list of calls may be asked for, read from text. Pure: parameters in, a checked value out."""

import base64
import binascii
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal, TypeVar, get_args

import msgspec

from app.calls.outcome import DIRECTIONS, OUTCOMES, Direction, Outcome
from app.kit.calendar import EPOCH
from app.kit.errors import Refusal

Sort = Literal["-started_at", "started_at", "-duration_s", "duration_s"]
SORTS: tuple[Sort, ...] = get_args(Sort)
MAX_LIMIT = 500
DEFAULT_LIMIT = 50
MAX_TEXT = 255
INT64_MAX = 2**63 - 1
_BRACKETED_ZERO = re.compile(r"\(\s*0\s*\)")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}")
Choice = TypeVar("Choice", bound=str)


class BadFilter(Refusal):
    """A parameter of a list says something that it cannot mean; the message names it."""

    status = 400
    code = "bad_parameter"


class Filters(msgspec.Struct, frozen=True):
    """Which calls are wanted; None asks for nothing. `until` is the first second that is no longer wanted."""

    since: int | None = None
    until: int | None = None
    direction: Direction | None = None
    outcome: Outcome | None = None
    user_id: int | None = None
    line: str | None = None
    text: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every call is wanted."""
        return self == Filters()


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page: where the next one begins. Bound to its sort: no page mixes two orders."""

    sort: Sort
    key: int
    row_id: int

    def to_text(self) -> str:
        """Opaque to whoever gets it."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class ListRequest(msgspec.Struct, frozen=True):
    """One page of a list."""

    filters: Filters
    sort: Sort = "-started_at"
    limit: int = DEFAULT_LIMIT
    cursor: Cursor | None = None


def parse_list_request(parameters: Mapping[str, str], zone: tzinfo) -> ListRequest:
    """Read the parameters of `GET /api/v1/calls`; empty ones are absent, unknown ones are left alone.

    A date, or a time without an offset, is taken in `zone`. Raises BadFilter.
    """
    given = {name: value.strip() for name, value in parameters.items() if value.strip()}
    sort = _parse_choice(given, "sort", SORTS) or "-started_at"
    filters = Filters(
        since=_parse_moment(given, "from", zone),
        until=_parse_moment(given, "to", zone),
        direction=_parse_choice(given, "direction", DIRECTIONS),
        outcome=_parse_choice(given, "outcome", OUTCOMES),
        user_id=_parse_number(given, "operator", INT64_MAX),
        line=_parse_text(given, "line"),
        text=_parse_text(given, "q"),
    )
    limit = _parse_number(given, "limit", MAX_LIMIT)
    if limit == 0:
        raise BadFilter(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return ListRequest(filters, sort, limit or DEFAULT_LIMIT, _parse_cursor(given.get("cursor"), sort))


def search_patterns(text: str) -> tuple[str, list[str]]:
    """What to look for: `("digits", …)` in the digits of a number, or `("text", …)` in the number as it came.

    Any way of writing a number is understood: spaces, brackets, digits of other scripts, `00` for `+`, and a
    trunk prefix (0, in Russia and Kazakhstan 8) that the stored international form does not have.
    """
    if any(character.isalpha() for character in text):
        return "text", [text.lower()]
    digits = "".join(
        str(unicodedata.decimal(character))
        for character in _BRACKETED_ZERO.sub("", text)
        if character.isdecimal()
    )
    if not digits:
        return "text", [text.lower()]
    bare = digits.lstrip("0")
    if digits.startswith("8") and len(digits) == 11:  # noqa: PLR2004  Trunk prefix and ten digits.
        bare = digits[1:]
    return "digits", [digits] if bare in {digits, ""} else [digits, bare]


def _parse_choice(given: Mapping[str, str], name: str, choices: tuple[Choice, ...]) -> Choice | None:
    value = given.get(name)
    if value is None:
        return None
    for choice in choices:
        if choice == value:
            return choice
    raise BadFilter(f"{name} must be one of: {', '.join(choices)}.")


def _parse_number(given: Mapping[str, str], name: str, highest: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not _WHOLE_NUMBER.fullmatch(value) or int(value) > highest:
        raise BadFilter(f"{name} must be a whole number of at most {highest}.")
    return int(value)


def _parse_text(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name)
    if value is not None and len(value) > MAX_TEXT:
        raise BadFilter(f"{name} may have at most {MAX_TEXT} characters.")
    return value


def _parse_moment(given: Mapping[str, str], name: str, zone: tzinfo) -> int | None:
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


def _parse_day(name: str, value: str, zone: tzinfo) -> int:
    """`from` a day is its first second; `to` a day means that the whole day is wanted."""
    day = date.fromisoformat(value)
    if name == "to":
        day += timedelta(days=1)
    return to_unix(datetime.combine(day, time.min, tzinfo=zone))


def to_unix(moment: datetime) -> int:
    """Whole Unix seconds of an aware time, in any year."""
    return (moment - EPOCH) // timedelta(seconds=1)


def _parse_cursor(text: str | None, sort: Sort) -> Cursor | None:
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=Cursor)
    except (binascii.Error, ValueError) as error:
        raise BadFilter("cursor is not one that this list gave. Begin again without it.") from error
    if cursor.sort != sort or not _fits(cursor.key) or not _fits(cursor.row_id):
        raise BadFilter("cursor belongs to another list. Begin again without it.")
    return cursor


def _fits(number: int) -> bool:
    return -INT64_MAX - 1 <= number <= INT64_MAX
