"""The settings that administrators make for a portal: visible calls, time zone, language, lines, retention.

They belong to the portal and not to one installation of it: a reinstallation within 30 days finds them again.
"""

import calendar
from datetime import UTC, timedelta
from typing import Literal, get_args

import msgspec

from app.kit.calendar import to_utc

Reach = Literal["own", "department", "all"]
REACHES: tuple[Reach, ...] = get_args(Reach)
RETENTION_MONTHS = (1, 3, 6, 12, 24, 36, 60)
YEAR_MONTHS = 12


class PortalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one portal; the defaults hold until an administrator saves others.

    If `time_zone` or `locale` is empty, each user has their own. `line_names` gives names to the portal's
    numbers as Bitrix24 writes them. Calls older than `retention_months` are removed; None keeps all.
    """

    admins_see: Reach = "all"
    heads_see: Reach = "department"
    employees_see: Reach = "own"
    time_zone: str = ""
    locale: str = ""
    line_names: dict[str, str] = {}
    retention_months: int | None = None

    def kept_from(self, now: int) -> int | None:
        """The moment (Unix seconds) from which on calls are kept; None if all are kept."""
        return None if self.retention_months is None else months_before(now, self.retention_months)

    def keeps_longer_than(self, other: "PortalSettings") -> bool:
        """Whether these settings keep calls that the other settings remove."""
        if other.retention_months is None or self.retention_months is None:
            return other.retention_months is not None and self.retention_months is None
        return self.retention_months > other.retention_months


def months_before(now: int, months: int) -> int:
    """The same day and time of day, in UTC, so many months earlier. If that month has no such day, the result
    is the end of that month.

    So a later `now` never gives an earlier result. Else calls that are removed already would be wanted again
    at the end of a month.
    """
    moment = to_utc(now).astimezone(UTC)
    year, month = divmod(moment.year * YEAR_MONTHS + moment.month - 1 - months, YEAR_MONTHS)
    first = moment.replace(year=year, month=month + 1, day=1)
    length = timedelta(days=calendar.monthrange(year, month + 1)[1])
    end = first.replace(hour=0, minute=0, second=0) + length
    return int(min(first + timedelta(days=moment.day - 1), end).timestamp())
