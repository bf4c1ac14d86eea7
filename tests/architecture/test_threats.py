"""docs/threats.md names, for each bound, files and tests that exist."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT

DOCUMENT = ROOT / "docs" / "threats.md"
MOST_LINES = 200
HEAD = "| attacker | attack | bound, with its number | code | test |"
RULE = "|---|---|---|---|---|"
COLUMNS = 5  # Columns of that head.
LIST = re.compile(r"`[^`]+`(?:, `[^`]+`)*")
NAME = re.compile(r"(?:app|tests)/[\w./-]*\w(?:::\w+)?")


def read_rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables of bounds, heads aside."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("|") and len(cells) == COLUMNS and cells[0] != "attacker":
            yield cells


def find_faults(cells: list[str]) -> Iterator[str]:
    """The faults of a row: no file under app/, no test under tests/, and each named one that does not
    exist.
    """
    for cell, folder in ((cells[3], "app/"), (cells[4], "tests/")):
        named = NAME.findall(cell)
        if not any(name.startswith(folder) for name in named):
            yield f"names no file under {folder}: {cell}"
        if not LIST.fullmatch(cell):
            yield f"is no list of files in backticks: {cell}"
        for name in named:
            path, _, test = name.partition("::")
            if not (ROOT / path).exists():
                yield f"no such file: {path}"
            elif test and f"def {test}(" not in (ROOT / path).read_text("utf-8"):
                yield f"no such test: {name}"


def test_every_bound_names_files_and_tests_that_exist() -> None:
    rows = list(read_rows(DOCUMENT.read_text("utf-8")))
    assert rows
    assert [(cells[1], list(find_faults(cells))) for cells in rows if list(find_faults(cells))] == []


def find_headless(text: str) -> Iterator[str]:
    """Rows of bounds without a head above them: they are shown as text, not as a table."""
    for block in text.split("\n\n"):
        lines = block.splitlines()
        rows = [line for line in lines if list(read_rows(line))]
        if rows and lines[:2] != [HEAD, RULE]:
            yield rows[0]


def test_each_bound_stands_once_and_under_a_head() -> None:
    text = DOCUMENT.read_text("utf-8")
    rows = Counter(tuple(cells[:2]) for cells in read_rows(text))
    assert [row for row, count in rows.items() if count > 1] == []
    assert list(find_headless(text)) == []


def test_a_row_behind_a_blank_line_is_found() -> None:
    row = "| a | b | c | d | e |"
    assert list(find_headless(f"{HEAD}\n{RULE}\n{row}\n\n{row}")) == [row]


def test_the_document_stays_short_enough_to_be_read() -> None:
    assert len(DOCUMENT.read_text("utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    "row",
    [
        "| a stranger | a | b | `app/nothing.py` | `tests/conftest.py` |",
        "| a stranger | a | b | `app/asgi.py` | `tests/conftest.py::test_nothing` |",
        "| a stranger | a | b | `somewhere` | `tests/conftest.py` |",
        "| a stranger | a | b | `app/asgi.py` | `none` |",
        "| a stranger | a | b | app/asgi.py | `tests/conftest.py` |",
    ],
)
def test_a_row_that_names_nothing_real_is_found(row: str) -> None:
    (cells,) = read_rows(row)
    assert len(list(find_faults(cells))) == 1
