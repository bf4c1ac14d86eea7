"""A portal's departments as we know them, and whether we do. Pure."""

from typing import Literal

import msgspec

State = Literal["read", "not_granted", "unread"]


class Structure(msgspec.Struct, frozen=True):
    """Whether the departments are known: `not_granted` where the app lacks the scope `department`."""

    state: State
    department_count: int = 0
    read_at: int | None = None
