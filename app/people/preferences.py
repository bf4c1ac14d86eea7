"""What a user chose for themselves. Kept on the server, because a frame may be refused any storage."""

from typing import Literal, get_args

import msgspec

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)


class Preferences(msgspec.Struct, frozen=True):
    """The choices of one user; None is never chosen. `columns` are names of columns of the log, in order."""

    columns: tuple[str, ...] | None = None
    theme: Theme | None = None
