"""A portal's departments: the state of our knowledge, and the difference to the portal's own list. Pure."""

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
    """Whether the departments are known; `not_granted`: the app lacks the scope `department`."""

    state: State
    department_count: int = 0
    read_at: int | None = None


class Known(msgspec.Struct, frozen=True):
    """Departments by id, and their memberships. `is_whole`: nothing was left out because of a quota."""

    departments: Mapping[int, Row]
    pairs: frozenset[Pair]
    is_whole: bool = True


class Difference(msgspec.Struct, frozen=True):
    """The steps from one structure to another, in the order in which they are written.

    Until the first two steps are done, each stored row belongs to the old structure; from then on, each
    belongs to the new one. So a viewer sees in between only calls that one of the two structures shows this
    viewer.
    """

    gone_pairs: list[Pair]
    gone_departments: list[int]  # Also those that moved or have another head.
    new_departments: list[Row]  # Also renamed ones.
    new_pairs: list[Pair]


def take(departments: Iterable[Department], members: Mapping[int, Iterable[int]], quotas: Quotas) -> Known:
    """The departments and memberships that a portal may store, from the lowest ids on. `members` holds the
    departments by user.
    """
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
    """The steps by which `stored` becomes `told`."""
    changed = [row for one, row in told.departments.items() if stored.departments.get(one) != row]
    gone = [
        one
        for one, row in stored.departments.items()
        if one not in told.departments or row[2:] != told.departments[one][2:]
    ]
    return Difference(
        sorted(stored.pairs - told.pairs), sorted(gone), changed, sorted(told.pairs - stored.pairs)
    )
