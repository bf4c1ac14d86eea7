"""What the administrators of a portal have set for it: who sees what, time zone, language, lines, retention.

It belongs to the portal and not to an installation of it: a reinstallation within the 30 days finds it again.
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


class PortalSettings(msgspec.Struct, frozen=True):
    """The settings of one portal; what nobody has set is as here.

    Empty `time_zone` and `locale` mean: each user's own. `line_names` names portal numbers as they came.
    Calls older than `retention_months` are removed; None keeps them without limit.
    """

    admins_see: Reach = "all"
    heads_see: Reach = "department"
    employees_see: Reach = "own"
    time_zone: str = ""
    locale: str = ""
    line_names: dict[str, str] = {}
    retention_months: int | None = None

    def kept_from(self, now: int) -> int | None:
        """The first moment whose calls are kept, so many calendar months ago; None keeps all."""
        return None if self.retention_months is None else months_before(now, self.retention_months)

    def keeps_longer_than(self, other: "PortalSettings") -> bool:
        """Whether calls are wanted that these other settings leave out."""
        if other.retention_months is None or self.retention_months is None:
            return other.retention_months is not None and self.retention_months is None
        return self.retention_months > other.retention_months


def months_before(now: int, months: int) -> int:
    """The same time of day on the same day so many months earlier, in UTC, and at most the end of that month.

    It never falls while time goes on: what was removed would be wanted again on the last days of a month.
    """
    moment = to_utc(now).astimezone(UTC)
    year, month = divmod(moment.year * YEAR_MONTHS + moment.month - 1 - months, YEAR_MONTHS)
    first = moment.replace(year=year, month=month + 1, day=1)
    length = timedelta(days=calendar.monthrange(year, month + 1)[1])
    end = first.replace(hour=0, minute=0, second=0) + length
    return int(min(first + timedelta(days=moment.day - 1), end).timestamp())
