"""docs/threats.md names, for each bound, files and tests that exist."""

import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT

DOCUMENT = ROOT / "docs" / "threats.md"
MOST_LINES = 200
COLUMNS = 5  # Who, what, the bound, where it stands, the test.


def read_rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables of bounds, heads aside."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("|") and len(cells) == COLUMNS and cells[0] != "who":
            yield cells


def find_faults(cells: list[str]) -> Iterator[str]:
    """What a row lacks: a file under app/, a test under tests/, and every one that it names."""
    for cell, folder in ((cells[3], "app/"), (cells[4], "tests/")):
        named = re.findall(r"(?:app|tests)/[\w./-]*\w(?:::\w+)?", cell)
        if not any(name.startswith(folder) for name in named):
            yield f"names no file under {folder}: {cell}"
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


def test_the_document_stays_short_enough_to_be_read() -> None:
    assert len(DOCUMENT.read_text("utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    "row",
    [
        "| a stranger | a | b | `app/nothing.py` | `tests/conftest.py` |",
        "| a stranger | a | b | `app/asgi.py` | `tests/conftest.py::test_nothing` |",
        "| a stranger | a | b | somewhere | `tests/conftest.py` |",
        "| a stranger | a | b | `app/asgi.py` | none |",
    ],
)
def test_a_row_that_names_nothing_real_is_found(row: str) -> None:
    (cells,) = read_rows(row)
    assert len(list(find_faults(cells))) == 1
