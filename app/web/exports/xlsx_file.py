"""Calls as an XLSX workbook: real dates, lengths of time and amounts. A text stays a text, also one that
begins like a formula.

A thread writes the rows to a temporary file without a name, which the system frees when the process ends in
any way. The file is sent once it is whole, because a zip has its table of contents at its end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, TypeVar

from app.calls.log.logged_calls import LoggedCall
from app.kit.messages.errors import Refusal
from app.kit.messages.languages import text_direction
from app.kit.messages.words import N_
from app.web.exports.cells import Cell, Duration, Moment, Phone
from app.web.exports.file_columns import Sheet
from app.web.exports.pieces import Piece
from app.web.exports.workbook import Workbook, number_cell, text_cell
from app.web.exports.xlsx_package import AMOUNT, DURATION, HEAD, MOMENT

MAX_ROWS = 1_048_575  # A sheet's lines without its head.
MAX_BYTES = 2_000_000_000  # Of the XML: beyond 2 GiB a zip needs an extension that not every program reads.
# Of one file on the temporary disk, where up to eight lie at once. A full sheet of calls takes a third of it.
MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_TEXT = 32_767
ROWS_A_TURN = 250
CHUNK_BYTES = 65_536
DAY_S = 86_400
DAY = timedelta(days=1)
DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001  In no zone, like the cells.
# Before this day spreadsheet programs count days differently (Excel has a 29 February 1900).
FIRST_DATE = datetime(1900, 3, 1)  # noqa: DTZ001  As above.
LONGEST_S = 2_958_465 * DAY_S  # The last day that Excel knows.
LARGEST = Decimal(10**11)  # Beyond it a number cell loses some of the four decimals.
Result = TypeVar("Result")


class TooManyRows(Refusal):
    """The export has more calls than a sheet can hold."""

    status = 400
    code = "too_many_rows"
    message = N_("An Excel sheet holds at most 1,048,575 calls. Choose a shorter period, or export as CSV.")


class XlsxLines:
    """A workbook under way in an open file. Not for two threads at once."""

    def __init__(self, file: IO[bytes], sheet: Sheet) -> None:
        self._sheet = sheet
        widths = [column.width for column in sheet.columns]
        self._book = Workbook(file, widths, is_right_to_left=text_direction(sheet.locale) == "rtl")
        self._book.add_row(text_cell(column.head, HEAD) for column in sheet.columns)
        self._count = 0

    def add(self, calls: list[LoggedCall]) -> None:
        """Write one row for each call. Raises TooManyRows."""
        for call in calls:
            self._count += 1
            is_too_large = self._book.size > MAX_BYTES or self._book.compressed_size > MAX_FILE_BYTES
            if self._count > MAX_ROWS or is_too_large:
                raise TooManyRows
            self._book.add_row(map(make_cell, self._sheet.cells(call)))

    def close(self) -> None:
        """Finish the workbook; the file stays open."""
        self._book.close()

    def drop(self) -> None:
        """Give up, unless the workbook is finished."""
        self._book.drop()


def make_cell(cell: Cell) -> str | None:
    """The cell by its type; a value that a spreadsheet cannot hold in that type becomes a text."""
    if cell is None:
        return None
    if isinstance(cell, Moment) and cell.at >= FIRST_DATE:
        return number_cell((cell.at - DAY_0) / DAY, MOMENT)
    if isinstance(cell, Duration) and 0 <= cell.seconds <= LONGEST_S:
        return number_cell(cell.seconds / DAY_S, DURATION)
    if isinstance(cell, Decimal) and abs(cell) < LARGEST:
        return number_cell(float(cell), AMOUNT)
    if isinstance(cell, int):
        return number_cell(cell)
    return text_cell(_plain_text(cell)[:MAX_TEXT])


def _plain_text(cell: Cell) -> str:
    if isinstance(cell, Phone):
        return cell.text
    if isinstance(cell, Moment):
        return cell.at.isoformat(sep=" ")
    return cell.to_text() if isinstance(cell, Duration) else str(cell)


async def write_xlsx(batches: AsyncIterator[list[LoggedCall]], sheet: Sheet) -> AsyncIterator[Piece]:
    """Pieces without content while the rows are written, then the file."""
    with TemporaryFile() as file:
        lines = XlsxLines(file, sheet)
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
        file.seek(0)
        while content := await _in_thread(lambda: file.read(CHUNK_BYTES)):
            yield Piece(count, content)


async def _in_thread(work: Callable[[], Result]) -> Result:
    """As `asyncio.to_thread`, but a cancelled caller waits for the thread: it still writes to the file that
    the caller will close.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
