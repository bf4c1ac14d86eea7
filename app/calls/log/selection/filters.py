"""Filters, order and page of a list of calls, read from text. Pure: parameters in, a checked value out."""

from collections.abc import Mapping
from datetime import tzinfo

import msgspec

from app.calls.log.selection.cursors import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    NEWEST_FIRST,
    SORTS,
    Cursor,
    Sort,
    parse_cursor,
)
from app.calls.log.selection.parameters import (
    BadFilter,
    parse_choice,
    parse_choices,
    parse_duration,
    parse_flag,
    parse_moment,
    parse_number,
    parse_numbers,
    parse_text,
    parse_texts,
)
from app.calls.store.outcome import DIRECTIONS, OUTCOMES, Direction, Outcome


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls a list holds; None and empty filters let every call pass. `until`: the first second after
    the period. `duration_to`: the longest duration. A call passes `outcomes` and `codes` if it has any one of
    them.
    """

    since: int | None = None
    until: int | None = None
    direction: Direction | None = None
    outcomes: tuple[Outcome, ...] = ()
    codes: tuple[str, ...] = ()
    user_ids: tuple[int, ...] = ()
    department_ids: tuple[int, ...] = ()
    line: str | None = None
    duration_from: int | None = None
    duration_to: int | None = None
    has_recording: bool | None = None
    has_client: bool | None = None
    text: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every call passes."""
        return self == Filters()


class ListRequest(msgspec.Struct, frozen=True):
    """Which page of a list is asked for."""

    filters: Filters
    sort: Sort = NEWEST_FIRST
    limit: int = DEFAULT_LIMIT
    cursor: Cursor | None = None


def parse_list_request(parameters: Mapping[str, str], zone: tzinfo) -> ListRequest:
    """Read the parameters of `GET /api/v1/calls`, and skip empty and unknown ones.

    A date, or a time without an offset, is read in the time zone `zone`. Raises BadFilter.
    """
    given = {name: value.strip() for name, value in parameters.items() if value.strip()}
    sort = parse_choice(given, "sort", SORTS) or NEWEST_FIRST
    limit = parse_number(given, "limit", MAX_LIMIT)
    if limit == 0:
        raise BadFilter(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    cursor = parse_cursor(given.get("cursor"), sort)
    return ListRequest(_parse_filters(given, zone), sort, limit or DEFAULT_LIMIT, cursor)


def _parse_filters(given: Mapping[str, str], zone: tzinfo) -> Filters:
    return Filters(
        since=parse_moment(given, "from", zone),
        until=parse_moment(given, "to", zone),
        direction=parse_choice(given, "direction", DIRECTIONS),
        outcomes=parse_choices(given, "outcome", OUTCOMES),
        codes=parse_texts(given, "code"),
        user_ids=parse_numbers(given, "operator"),
        department_ids=parse_numbers(given, "department"),
        line=parse_text(given, "line"),
        duration_from=parse_duration(given, "duration_from"),
        duration_to=parse_duration(given, "duration_to"),
        has_recording=parse_flag(given, "recording", "true", "false"),
        has_client=parse_flag(given, "client", "known", "unknown"),
        text=parse_text(given, "q"),
    )
