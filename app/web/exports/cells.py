"""What may stand in a cell of an export; each kind of file writes it in its own way."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Phone(NamedTuple):
    """A telephone number, or what came in its place (`hidden`, a line's code)."""

    text: str


class Moment(NamedTuple):
    """A time on the clock of the export's zone, without one of its own."""

    at: datetime


class Duration(NamedTuple):
    """A length of time."""

    seconds: int

    def to_text(self) -> str:
        """`0:00:07`, `12:30:00`: always with hours, which spreadsheet programs take for what it is."""
        minutes, seconds = divmod(abs(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{'-' if self.seconds < 0 else ''}{hours}:{minutes:02}:{seconds:02}"


Cell = str | Phone | Moment | Duration | Decimal | int | None  # A plain text is free text, of any content.
