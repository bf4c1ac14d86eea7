"""Calls as an XLSX workbook: real dates, lengths of time and amounts; every text is a text, whatever it
begins with.

XlsxWriter writes to a temporary folder, row by row (`constant_memory`), in a thread; the file is sent once it
is whole, since a workbook's table of contents stands at its end.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

from xlsxwriter import Workbook  # type: ignore[import-untyped]  # It has no types.

from app.calls.reading import LoggedCall
from app.kit.errors import Refusal
from app.kit.languages import text_direction
from app.kit.words import N_
from app.web.exports.cells import Cell, Duration, Moment, Phone
from app.web.exports.columns import Sheet
from app.web.exports.pieces import Piece

MAX_ROWS = 1_048_575  # A sheet's lines without its head.
MAX_TEXT = 32_767
ROWS_A_TURN = 250
CHUNK_BYTES = 65_536
DAY_S = 86_400
# Before this day spreadsheet programs count the days otherwise (Excel believes in 29 February 1900).
FIRST_DATE = datetime(1900, 3, 1)  # noqa: DTZ001  On no clock in particular.
LONGEST_S = 2_958_465 * DAY_S  # The last day that Excel knows.
LARGEST = Decimal(10**11)  # With four decimals, a number cell loses digits beyond.
FORMATS = {"moment": "yyyy-mm-dd hh:mm:ss", "duration": "[h]:mm:ss", "amount": "#,##0.00##"}
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")  # XlsxWriter escapes the other control characters.
Result = TypeVar("Result")


class TooManyRows(Refusal):
    """More than a sheet can hold."""

    status = 400
    code = "too_many_rows"
    message = N_("A sheet holds 1,048,575 calls at most. Choose a shorter period, or export as CSV.")


class _Worksheet(Protocol):
    """What is used of XlsxWriter's sheet, which has no types."""

    def write_string(self, row: int, column: int, text: str, style: object = None) -> int: ...
    def write_number(self, row: int, column: int, number: float, style: object = None) -> int: ...
    def write_datetime(self, row: int, column: int, at: datetime, style: object = None) -> int: ...


class XlsxLines:
    """A workbook under way in a folder of its own. Not for two threads at once."""

    def __init__(self, folder: Path, sheet: Sheet) -> None:
        self.path = folder / "calls.xlsx"
        self._sheet = sheet
        self._book = Workbook(str(self.path), {"constant_memory": True, "tmpdir": str(folder)})
        self._styles = {name: self._book.add_format({"num_format": text}) for name, text in FORMATS.items()}
        self._page: Any = self._book.add_worksheet()
        self._count = 0
        self._begin()

    def _begin(self) -> None:
        head = self._book.add_format({"bold": True, "bottom": 1})
        if text_direction(self._sheet.locale) == "rtl":
            self._page.right_to_left()
        self._page.freeze_panes(1, 0)
        for number, column in enumerate(self._sheet.columns):
            self._page.set_column(number, number, column.width)
            self._page.write_string(0, number, column.head, head)

    def add(self, calls: list[LoggedCall]) -> None:
        """More lines; raises TooManyRows."""
        for call in calls:
            self._count += 1
            if self._count > MAX_ROWS:
                raise TooManyRows
            for number, cell in enumerate(self._sheet.cells(call)):
                if cell is not None:
                    write_cell(self._page, self._count, number, cell, self._styles)

    def close(self) -> None:
        """Finish the file at `path`."""
        self._page.autofilter(0, 0, self._count, len(self._sheet.columns) - 1)
        self._book.close()

    def drop(self) -> None:
        """Give the temporary files back without finishing anything."""
        self._book.fileclosed = True
        self._page._opt_close()  # noqa: SLF001  Only a finished book closes them in public.


def write_cell(page: _Worksheet, row: int, column: int, cell: Cell, styles: dict[str, object]) -> None:
    """Write as what it is; what a spreadsheet cannot hold as such, as a text."""
    if isinstance(cell, Moment) and cell.at >= FIRST_DATE:
        page.write_datetime(row, column, cell.at, styles["moment"])
    elif isinstance(cell, Duration) and 0 <= cell.seconds <= LONGEST_S:
        page.write_number(row, column, cell.seconds / DAY_S, styles["duration"])
    elif isinstance(cell, Decimal) and abs(cell) < LARGEST:
        page.write_number(row, column, float(cell), styles["amount"])
    elif isinstance(cell, int):
        page.write_number(row, column, cell)
    else:
        page.write_string(row, column, _text(cell)[:MAX_TEXT])


def _text(cell: Cell) -> str:
    return _NOT_XML.sub("\ufffd", _plain_text(cell))


def _plain_text(cell: Cell) -> str:
    if isinstance(cell, Phone):
        return cell.text
    if isinstance(cell, Moment):
        return cell.at.isoformat(sep=" ")
    return cell.to_text() if isinstance(cell, Duration) else str(cell)


async def write_xlsx(batches: AsyncIterator[list[LoggedCall]], sheet: Sheet) -> AsyncIterator[Piece]:
    """The rows first, with no content yet, then the file."""
    with TemporaryDirectory(prefix="callbook-export-") as folder:
        lines = XlsxLines(Path(folder), sheet)
        count = 0
        try:
            async for calls in batches:
                for begin in range(0, len(calls), ROWS_A_TURN):
                    part = calls[begin : begin + ROWS_A_TURN]
                    await _in_thread(lambda part=part: lines.add(part))  # type: ignore[misc]
                    count += len(part)
                yield Piece(count, b"")
            await _in_thread(lines.close)
        finally:
            await _in_thread(lines.drop)
        with lines.path.open("rb") as file:
            while content := await _in_thread(lambda: file.read(CHUNK_BYTES)):
                yield Piece(count, content)


async def _in_thread(work: Callable[[], Result]) -> Result:
    """As `asyncio.to_thread`; whoever is cancelled waits for the thread, which writes where they clean up."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
