"""`make quick` has a test of each promise: in every section of docs/guarantees.md one that it takes."""

import re
from collections.abc import Iterator

from tests.architecture.sources import ROOT
from tests.quick import NOT_QUICK

GUARANTEES = ROOT / "docs" / "guarantees.md"
LINK = re.compile(r"\]\(\.\./(tests/[^)#]+\.py)\)")
MARKER = "@pytest.mark.quick"
SERVED = re.compile(r"\b(?:callbook|database|database_url|sqlite_url|postgres_url|stand_in|bitrix)\b")
# Their tests need processes, a browser, or the source: they are in `make test` and `make check`.
LONG_ONLY = frozenset({"Processes", "The stand-in and the house"})


def read_sections(text: str) -> Iterator[tuple[str, str]]:
    """Each section's title and text."""
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        yield title, body


def is_quick(path: str) -> bool:
    """Whether `make quick` takes a test of this file: one with the marker, or all of a pure one."""
    text = (ROOT / path).read_text("utf-8")
    return MARKER in text or (path.split("/")[1] not in NOT_QUICK and not SERVED.search(text))


def find_slow_sections(text: str) -> Iterator[str]:
    """The titles of the sections of whose tests `make quick` takes none."""
    for title, body in read_sections(text):
        if title not in LONG_ONLY and not any(is_quick(path) for path in LINK.findall(body)):
            yield title


def test_every_promise_has_a_quick_test() -> None:
    assert list(find_slow_sections(GUARANTEES.read_text("utf-8"))) == []


def test_a_promise_without_a_quick_test_is_found() -> None:
    text = "# All\n\n## A\n[a](../tests/roles/test_serving.py)\n\n## B\n[b](../tests/kit/test_crypto.py)\n"
    assert list(find_slow_sections(text)) == ["A"]
