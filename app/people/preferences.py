"""The preferences of a user. The server keeps them, because a browser may not let a frame store anything."""

from typing import Literal, get_args

import msgspec

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)


class Preferences(msgspec.Struct, frozen=True):
    """The preferences of one user; None means that the user has chosen nothing. `columns` names columns of
    the log, in order.
    """

    columns: tuple[str, ...] | None = None
    theme: Theme | None = None
