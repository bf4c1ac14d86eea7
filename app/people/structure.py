"""A portal's departments as we know them, whether we do, and how they differ from those it tells of. Pure."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from app.bitrix24.methods.departments import Department
from app.bitrix24.methods.users import MOST_DEPARTMENTS_OF_USER
from app.kit.text import storable
from app.portals.settings.quotas import Quotas

State = Literal["read", "not_granted", "unread"]
Pair = tuple[int, int]  # department_id, user_id
Row = tuple[int, str, int | None, int | None]  # department_id, name as stored, parent_id, head_id


class Structure(msgspec.Struct, frozen=True):
    """Whether the departments are known: `not_granted` where the app lacks the scope `department`."""

    state: State
    department_count: int = 0
    read_at: int | None = None


class Known(msgspec.Struct, frozen=True):
    """Departments by id, and who belongs to which. `is_whole`: there are no more than we take of a portal."""

    departments: Mapping[int, Row]
    pairs: frozenset[Pair]
    is_whole: bool = True


class Difference(msgspec.Struct, frozen=True):
    """What leads from one structure to another, in this order.

    Until the first two are done, all that is stored was so before; from then on, all of it is so now. So
    nobody who reads in between sees anybody whom neither lets them see.
    """

    gone_pairs: list[Pair]
    gone_departments: list[int]  # Those that were moved or have another head too.
    new_departments: list[Row]  # Renamed ones too.
    new_pairs: list[Pair]


def take(departments: Iterable[Department], members: Mapping[int, Iterable[int]], quotas: Quotas) -> Known:
    """As much as we take of what a portal tells: those of the lowest ids. `members`: departments by user."""
    most, most_pairs = quotas.departments, quotas.memberships
    told = sorted(departments, key=lambda one: one.department_id)
    rows = {
        one.department_id: (one.department_id, storable(one.name), one.parent_id, one.head_id)
        for one in told[:most]
    }
    own = {user_id: sorted(rows.keys() & set(ids)) for user_id, ids in members.items()}
    pairs = [(one, user_id) for user_id in sorted(own) for one in own[user_id][:MOST_DEPARTMENTS_OF_USER]]
    is_whole = len(told) <= most and sum(map(len, own.values())) <= min(len(pairs), most_pairs)
    return Known(rows, frozenset(pairs[:most_pairs]), is_whole)


def compare(stored: Known, told: Known) -> Difference:
    """What is to be written so that the one becomes the other."""
    changed = [row for one, row in told.departments.items() if stored.departments.get(one) != row]
    gone = [
        one
        for one, row in stored.departments.items()
        if one not in told.departments or row[2:] != told.departments[one][2:]
    ]
    return Difference(
        sorted(stored.pairs - told.pairs), sorted(gone), changed, sorted(told.pairs - stored.pairs)
    )
