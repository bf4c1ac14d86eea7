"""The values of an export's cells; each kind of file writes them in its own way."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Phone(NamedTuple):
    """A telephone number, or the text in its place (`hidden`, a line's code)."""

    text: str


class Moment(NamedTuple):
    """A time in the export's zone; `at` itself names no zone."""

    at: datetime


class Duration(NamedTuple):
    """A length of time."""

    seconds: int

    def to_text(self) -> str:
        """`0:00:07`, `12:30:00`: always with hours, so that spreadsheet programs read a length of time."""
        minutes, seconds = divmod(abs(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{'-' if self.seconds < 0 else ''}{hours}:{minutes:02}:{seconds:02}"


Cell = str | Phone | Moment | Duration | Decimal | int | None  # A `str` is free text of any content.
