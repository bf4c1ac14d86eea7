"""Dates of moments. A moment is Unix seconds, and only those of the years 1 to 9999 in UTC have a date."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = -62_135_596_800
LAST = 253_402_300_799
MAX_DATE = 40  # A date with microseconds and an offset of seconds has 35 characters.


def has_date(at: int) -> bool:
    """Whether the moment can be written as a date at all."""
    return FIRST <= at <= LAST


def read_date(value: object) -> int | None:
    """An ISO 8601 date with its offset from UTC, as Unix seconds; None for anything else, and for a moment
    outside the years 1 to 9999 in UTC.
    """
    if not isinstance(value, str) or len(value) > MAX_DATE:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    at = int((moment - EPOCH).total_seconds()) if moment.tzinfo else None
    return at if at is not None and has_date(at) else None


def to_utc(at: int) -> datetime:
    """The moment as a date in UTC; a moment without a date becomes the nearest one that has a date.

    Works on every machine: `datetime.fromtimestamp` fails for some years on some machines.
    """
    return EPOCH + timedelta(seconds=min(max(at, FIRST), LAST))


@cache
def list_zones() -> tuple[str, ...]:
    """The names of all time zones, sorted. They are kept, because finding them reads some 600 files."""
    return tuple(sorted(available_timezones()))
