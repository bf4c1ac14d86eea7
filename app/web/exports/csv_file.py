"""Calls as CSV that spreadsheet programs open right: UTF-8 with a byte order mark, line ends by RFC 4180, and
semicolons between cells in languages that write decimals with a comma, as such programs expect.

No program can take a cell for a formula, even if a stranger chose its text (OWASP, "CSV Injection"; decision
0021).
"""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal

from babel.numbers import get_decimal_symbol

from app.calls.log.logged_calls import LoggedCall
from app.web.display.presenter import format_number
from app.web.exports.cells import Cell, Duration, Moment, Phone
from app.web.exports.file_columns import Sheet
from app.web.exports.pieces import Piece

MARK = "\ufeff"
GUARD = "'"
LINES_A_PIECE = 50  # Some milliseconds of work, then other requests have their turn.
_UNSEEN = r"\s\x00-\x20\x7f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff"
_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20"  # The last four are their full-width forms.
# A sign counts at the start of a cell, and after each character that another program may take for a
# separator. A stretch is a run of blanks, unseen characters and quotes. A comma, semicolon or bar directly
# before it and a sign directly behind it belong to it. The pattern reads each stretch once, even if it has no
# sign, so 60,000 tabs cost no more than 60,000 letters.
_SIGN = re.compile(rf"[{_SIGNS}]")
_STRETCH = re.compile(rf"([,;|][{_UNSEEN}\"']*+|[{_UNSEEN}\"']++|^)([{_SIGNS}])?")
_AFTER_CUT = re.compile(r"(?<=[,;|\t\r\n])")
_PLAIN_NUMBER = re.compile(r"\+?[0-9]+")
_GROUPED_NUMBER = re.compile(r"\+[0-9]+ [0-9][0-9 ()-]*")


def make_harmless(text: str) -> str:
    """The text with an apostrophe before each place where a formula could begin; any other text as it is."""
    guarded = _STRETCH.sub(_guard_stretch, text) if _SIGN.search(text) else text
    return GUARD + guarded if text.startswith(("\t", "\r", "\n")) and guarded[0] != GUARD else guarded


def _guard_stretch(match: re.Match[str]) -> str:
    """The text in place of the stretch. A stretch without a sign stays. Any other gets an apostrophe after
    each of its separators. At the start of the cell it also gets one in front, unless its first character is
    a comma, a semicolon or a bar.
    """
    stretch, sign = match[1], match[2]
    if sign is None:
        return stretch
    guarded = _AFTER_CUT.sub(GUARD, stretch) + sign
    return GUARD + guarded if match.start() == 0 and not stretch.startswith((",", ";", "|")) else guarded


def write_phone(text: str) -> str:
    """A number as the log shows it: `+1 202-555-0123` stays text and keeps its plus in any program.

    A program may take digits alone, with or without a plus, for a number, which does no harm. A program would
    calculate `+1-2`, so `make_harmless` guards such a text. A number with a space between digits is not
    calculated.
    """
    shown = format_number(text)
    if _PLAIN_NUMBER.fullmatch(shown) or _GROUPED_NUMBER.fullmatch(shown):
        return shown
    return make_harmless(shown)


def write_moment(at: datetime) -> str:
    """`2026-11-27 09:15:00`, which is a date in every language."""
    return at.isoformat(sep=" ")


class CsvLines:
    """Writes lines of cells with the separator and decimal sign of a language."""

    def __init__(self, locale: str) -> None:
        is_comma_decimal = get_decimal_symbol(locale) == ","
        self._decimal_sign = "," if is_comma_decimal else "."
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer, delimiter=";" if is_comma_decimal else ",")

    def add(self, cells: list[Cell]) -> None:
        """Write one line."""
        self._writer.writerow([self._write(cell) for cell in cells])

    def take(self) -> bytes:
        """The bytes of the lines added since the last call."""
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text.encode("utf-8", "replace")

    def _write(self, cell: Cell) -> str:
        if cell is None:
            return ""
        if isinstance(cell, str):
            return make_harmless(cell)
        if isinstance(cell, Phone):
            return write_phone(cell.text)
        if isinstance(cell, Moment):
            return write_moment(cell.at)
        if isinstance(cell, Duration):
            return cell.to_text()
        return self._write_number(cell)

    def _write_number(self, number: Decimal | int) -> str:
        if isinstance(number, int):
            return str(number)
        return f"{number.normalize():f}".replace(".", self._decimal_sign)


async def write_csv(batches: AsyncIterator[list[LoggedCall]], sheet: Sheet) -> AsyncIterator[Piece]:
    """The file in pieces, as the batches come."""
    lines = CsvLines(sheet.locale)
    lines.add(list(sheet.heads))
    count = 0
    head = MARK.encode()
    async for calls in batches:
        for begin in range(0, len(calls), LINES_A_PIECE):
            part = calls[begin : begin + LINES_A_PIECE]
            for call in part:
                lines.add(sheet.cells(call))
            count += len(part)
            yield Piece(count, head + lines.take())
            head = b""
            await asyncio.sleep(0)
    if not count:
        yield Piece(0, head + lines.take())
