"""Reads an XLSX for tests: its cells as the file holds them."""

import io
import re
import zipfile
from typing import NamedTuple
from xml.etree import ElementTree as ET

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class XlsxCell(NamedTuple):
    """A cell. `kind` is `n` for numbers, else the way the text is stored; `style` is the number of its
    format.
    """

    kind: str
    text: str
    style: int
    is_formula: bool


def read_sheet(content: bytes) -> list[dict[str, XlsxCell]]:
    """The lines, each by column letter; verifies the file's checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert book.testzip() is None
        page = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314  Our own file.
    return [
        {cell.get("r", "").rstrip("0123456789"): _read(cell) for cell in line.iter(f"{MAIN}c")}
        for line in page.iter(f"{MAIN}row")
    ]


def _read(cell: "ET.Element[str]") -> XlsxCell:
    kind = cell.get("t", "n")
    value = cell.find(f"{MAIN}v") if kind == "n" else next(cell.iter(f"{MAIN}t"))
    text = (value.text or "") if value is not None else ""
    unescaped = ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return XlsxCell(kind, unescaped, int(cell.get("s", "0")), cell.find(f"{MAIN}f") is not None)
