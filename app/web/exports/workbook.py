"""A workbook of one sheet, written row by row into one open file: a zip of XML (ECMA-376, SpreadsheetML).

Libraries that write rows as they come keep them in named files until the end, and a process that is killed
meanwhile leaves these behind. Here each row goes, compressed, into one file that needs no name.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from app.web.exports.xlsx_package import MAIN, PARTS, SHEET_PATH, XML, describe_book

_ESCAPED_ALREADY = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_SPECIAL = re.compile("[\x00-\x08\x0b-\x1f&<>\ud800-\udfff\ufffe\uffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_PADDING = 0.71  # Widths are in digits of the default font; a column has five pixels more.


class Workbook:
    """A workbook under way: `add_row` for each row, `close` at the end. Not for two threads at once."""

    def __init__(self, file: IO[bytes], widths: Sequence[float], *, is_right_to_left: bool = False) -> None:
        self._columns = [_letters(number) for number in range(len(widths))]
        self._rows = 0
        self._file = file
        self._zip = ZipFile(file, "w", ZIP_DEFLATED)
        for path, content in PARTS.items():
            self._zip.writestr(path, XML + content)
        self._sheet = self._zip.open(SHEET_PATH, "w")
        self.size = 0  # Of the sheet before compression, in bytes.
        self._write(_begin_sheet(widths, is_right_to_left=is_right_to_left))

    def add_row(self, cells: Iterable[str | None]) -> None:
        """Write one row of cells, made by `text_cell` and `number_cell`, in the order of the columns."""
        self._rows += 1
        written = [
            f'<c r="{letters}{self._rows}"{cell}'
            for letters, cell in zip(self._columns, cells, strict=True)
            if cell is not None
        ]
        self._write(f'<row r="{self._rows}">{"".join(written)}</row>')

    @property
    def compressed_size(self) -> int:
        """The bytes of the file so far."""
        return self._file.tell()

    def close(self) -> None:
        """Finish the workbook; the file stays open."""
        last = f"{self._columns[-1]}{self._rows}"
        self._write(f'</sheetData><autoFilter ref="A1:{last}"/></worksheet>')
        self._sheet.close()
        filtered = f"Sheet1!$A$1:${self._columns[-1]}${self._rows}"
        self._zip.writestr("xl/workbook.xml", XML + describe_book(filtered))
        self._zip.close()

    def drop(self) -> None:
        """Give up: the written bytes are no workbook. Does nothing after `close`."""
        with suppress(OSError):  # Most likely a full disk, which is the reason to give up.
            self._sheet.close()
            self._zip.close()

    def _write(self, text: str) -> None:
        content = text.encode()
        self.size += len(content)
        self._sheet.write(content)


def text_cell(text: str, style: int = 0) -> str:
    """A cell with a text as it is: never a formula, a number or a link."""
    space = ' xml:space="preserve"' if text != text.strip() else ""
    return f'{_styled(style)} t="inlineStr"><is><t{space}>{escape(text)}</t></is></c>'


def number_cell(number: float, style: int = 0) -> str:
    """A cell with a number; dates and lengths of time count in days (styles `MOMENT`, `DURATION`)."""
    return f"{_styled(style)}><v>{number!r}</v></c>"


def escape(text: str) -> str:
    """The text escaped for XML. A sign that XML cannot hold is written as SpreadsheetML has it (`_x0001_`). A
    sign that SpreadsheetML cannot hold either becomes U+FFFD.
    """
    return _SPECIAL.sub(_replace, _ESCAPED_ALREADY.sub("_x005F_", text))


def _replace(found: re.Match[str]) -> str:
    sign = found[0]
    return _ENTITIES.get(sign) or (f"_x{ord(sign):04X}_" if sign < " " else "\ufffd")


def _styled(style: int) -> str:
    return f' s="{style}"' if style else ""


def _letters(number: int) -> str:
    """A, B, …, Z, AA, … for 0, 1, …"""
    before, last = divmod(number, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


def _begin_sheet(widths: Sequence[float], *, is_right_to_left: bool) -> str:
    direction = ' rightToLeft="1"' if is_right_to_left else ""
    columns = "".join(
        f'<col min="{number}" max="{number}" width="{width + _PADDING:.2f}" customWidth="1"/>'
        for number, width in enumerate(widths, 1)
    )
    return (
        f'{XML}<worksheet xmlns="{MAIN}"><sheetViews><sheetView{direction} tabSelected="1"'
        ' workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        '<selection pane="bottomLeft"/></sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols><sheetData>'
    )
