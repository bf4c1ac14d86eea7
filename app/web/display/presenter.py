"""A call as a person reads it: times, numbers, durations, money by locale. Pure; templates have the words."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import phonenumbers
from babel.dates import format_date, format_datetime, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit

from app.calls.log.logged_calls import LoggedCall, LoggedLeg
from app.calls.store.outcome import Direction, Outcome
from app.kit.calendar import to_utc
from app.kit.text import shorten

COST_UNIT = Decimal(10_000)
ISO_CURRENCY_LENGTH = 3
NUL_SIGN = "\u2400"
LONGEST_DEPARTMENTS = 255  # A user may belong to any number of them, and each of the user's calls shows all.


class CallRow(NamedTuple):
    """One row of the table. `day` is `today` or `yesterday`, else None, and then `date` says the day."""

    id: int
    call_id: str
    direction: Direction | None
    outcome: Outcome | None
    code: str | None
    reason: str | None
    moment: str
    day: str | None
    date: str
    time: str
    full_time: str
    number: str | None
    user_id: int | None
    operator: str | None
    is_robot: bool
    initials: str
    hue: int
    line: str | None
    line_number: str | None
    duration: str | None
    cost: str | None
    is_free: bool
    is_doubted: bool
    has_recording: bool
    client_type: str | None
    client_id: int | None
    vote: int | None
    comment: str | None
    departments: str


class Moment(NamedTuple):
    """A moment: `moment` for programs, the rest for people. `day` is `today`, `yesterday` or None."""

    moment: str
    day: str | None
    date: str
    time: str
    full_time: str
    full_date: str


class Presenter(NamedTuple):
    """Presents calls to one viewer, in the viewer's zone and locale, with the portal's names of lines."""

    zone: tzinfo
    locale: str
    now: int
    line_names: Mapping[str, str] = MappingProxyType({})
    departments: Mapping[int, Sequence[str]] = MappingProxyType({})  # Their names, by user.

    def present(self, call: LoggedCall, names: Mapping[int, str]) -> CallRow:
        """The row of one call; `names` has the known users by id."""
        at = self.describe_moment(call.started_at)
        operator = names.get(call.user_id) if call.user_id is not None else None
        return CallRow(
            id=call.id,
            call_id=call.call_id,
            direction=call.direction,
            outcome=call.outcome,
            code=call.code and visible(call.code),
            reason=call.reason and visible(call.reason),
            moment=at.moment,
            day=at.day,
            date=at.date,
            time=at.time,
            full_time=at.full_time,
            number=call.phone_number and visible(format_number(call.phone_number)),
            user_id=call.user_id,
            operator=operator and visible(operator),
            is_robot=is_of_robot(call),
            initials=initials_of(operator or ""),
            hue=(call.user_id or 0) % 6,
            line=self.name_line(call.portal_number),
            line_number=call.portal_number and visible(format_number(call.portal_number)),
            duration=None if call.duration_s is None else format_duration(call.duration_s),
            cost=None
            if call.cost_e4 is None
            else format_cost(call.cost_e4, call.currency or "", self.locale),
            is_free=call.cost_e4 == 0,
            is_doubted=call.confirmed is False,
            has_recording=call.has_recording,
            client_type=call.crm_entity_type if call.crm_entity_id is not None else None,
            client_id=call.crm_entity_id,
            vote=call.vote,
            comment=call.comment and visible(call.comment),
            departments=visible(
                shorten(", ".join(self.departments.get(call.user_id or 0, ())), LONGEST_DEPARTMENTS)
            ),
        )

    def name_line(self, portal_number: str | None) -> str | None:
        """The name that the portal's administrators gave to a line, else its number."""
        if portal_number is None:
            return None
        return visible(self.line_names.get(portal_number) or format_number(portal_number))

    def describe_moment(self, at: int) -> Moment:
        """A moment in the viewer's zone and language."""
        local = to_local(at, self.zone)
        return Moment(
            moment=to_iso(at),
            day=self._day(local),
            date=_format_date(local.year, local.month, local.day, self._is_this_year(local), self.locale),
            time=_format_clock(local.hour, local.minute, self.locale),
            full_time=format_datetime(local, "medium", locale=self.locale),
            full_date=format_date(local, "medium", locale=self.locale),
        )

    def _day(self, local: datetime) -> str | None:
        days_ago = (to_local(self.now, self.zone).date() - local.date()).days
        return {0: "today", 1: "yesterday"}.get(days_ago)

    def _is_this_year(self, local: datetime) -> bool:
        return local.year == to_local(self.now, self.zone).year


def is_of_robot(leg: LoggedLeg) -> bool:
    """Whether a robot made the call: an informational call without an employee."""
    return leg.user_id is None and leg.direction == "info"


def visible(text: str) -> str:
    """The text with NUL_SIGN for each NUL, which HTML cannot hold and would drop."""
    return text.replace("\x00", NUL_SIGN)


def to_local(at: int, zone: tzinfo) -> datetime:
    """The time in a zone; in UTC if the zone would lead out of the calendar."""
    moment = to_utc(at)
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def to_iso(at: int) -> str:
    """ISO 8601 in UTC: `2026-11-23T09:00:00Z`."""
    return to_utc(at).replace(tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=16_384)  # Some 4 MB: most numbers of an export come again and again.
def format_number(number: str) -> str:
    """An international number in groups of digits; any other text (`hidden`, a short number, a line's code)
    as it came.
    """
    if not number.startswith("+"):
        return number
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    formatted = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    is_same = _digits(formatted) == number[1:]
    return formatted if is_same and phonenumbers.is_possible_number(parsed) else number


def format_duration(duration_s: int) -> str:
    """`0:07`, `12:30`, `1:02:03`."""
    minutes, seconds = divmod(abs(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"-{clock}" if duration_s < 0 else clock


def format_talk_time(duration_s: int, locale: str) -> str:
    """A sum of durations in words, by its two largest units: `3 hr 5 min`, `3 Std. 5 Min.`, `42 sec`."""
    minutes, seconds = divmod(max(duration_s, 0), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [("hour", hours), ("minute", minutes), ("second", seconds)]
    parts = parts[:2] if hours else parts[1:]
    shown = [(unit, amount) for unit, amount in parts if amount] or [("second", 0)]
    return " ".join(format_unit(amount, f"duration-{unit}", "short", locale=locale) for unit, amount in shown)


def format_share(share: float, locale: str) -> str:
    """A share (0 to 1) as whole percents: `87%`, `87 %`, `%87`."""
    return format_percent(share, locale=locale)


def format_cost(cost_e4: int, currency: str, locale: str) -> str:
    """Money with every decimal that it has: `$0.0145`, `€12.00`."""
    amount = Decimal(cost_e4) / COST_UNIT
    if len(currency) == ISO_CURRENCY_LENGTH and currency.isascii() and currency.isalpha():
        return format_currency(amount, currency.upper(), locale=locale, decimal_quantization=False)
    text = format_decimal(amount, locale=locale, decimal_quantization=False)
    return f"{text} {currency}".strip()


def plain_cost(cost_e4: int) -> str:
    """Money as plain decimal text for programs: `0.25`, `12`."""
    return f"{(Decimal(cost_e4) / COST_UNIT).normalize():f}"


def initials_of(name: str) -> str:
    """The initials of a name, at most two letters, for the circle beside it."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


@lru_cache(maxsize=2048)
def _format_date(year: int, month: int, day: int, is_this_year: bool, locale: str) -> str:  # noqa: FBT001  A cache key.
    moment = datetime(year, month, day)  # noqa: DTZ001  A day of the calendar, in no zone.
    return format_skeleton("MMMd" if is_this_year else "yMMMd", moment, locale=locale)


@lru_cache(maxsize=2048)
def _format_clock(hour: int, minute: int, locale: str) -> str:
    moment = datetime(2000, 1, 1, hour, minute)  # noqa: DTZ001  As above.
    return format_time(moment, "short", locale=locale)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
