"""Style sheets know no left and right: a language that runs from right to left needs no sheet of its own."""

import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT

PHYSICAL = re.compile(
    r"(?:^|[;{\s])("
    r"(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right)[a-z-]*"
    r"|border-(?:top|bottom)-(?:left|right)-radius"
    r"|left|right)\s*:"
    r"|(?:float|clear|text-align|caption-side|resize)\s*:\s*(?:left|right)\b",
    re.MULTILINE,
)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def find_physical(text: str) -> Iterator[str]:
    for match in PHYSICAL.finditer(COMMENT.sub("", text)):
        yield match.group().strip(" ;{\n")


def test_no_style_sheet_says_left_or_right() -> None:
    found = {
        path.name: list(find_physical(path.read_text("utf-8"))) for path in (ROOT / "static").glob("*.css")
    }
    assert {name: rules for name, rules in found.items() if rules} == {}


@pytest.mark.parametrize(
    "rule",
    [
        "margin-left: 4px",
        "left:0",
        "border-top-right-radius: 2px",
        "text-align: right",
        "border-right-color: red",
    ],
)
def test_a_physical_rule_is_found(rule: str) -> None:
    assert len(list(find_physical(f".a {{ color: red; {rule} }}"))) == 1
    assert len(list(find_physical(f".a {{{rule}}}"))) == 1


def test_logical_rules_pass() -> None:
    rules = (
        "margin-inline-start: 4px; text-align: start; background-position: right 12px center /* left: 0 */"
    )
    assert list(find_physical(f".a {{ {rules} }}")) == []
