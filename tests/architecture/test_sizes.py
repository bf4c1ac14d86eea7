"""Files and functions stay short enough to be read at once."""

import ast
from collections.abc import Iterable, Iterator

from tests.architecture.sources import ROOT, Source, parse, read_app

LONGEST_FILE = 300
LONGEST_FUNCTION = 45
LONGEST_TEST_FILE = 400


def find_long_tests(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each of these named texts that has passed the bound of a test's file, in lines."""
    for name, text in texts:
        lines = len(text.splitlines())
        if lines > LONGEST_TEST_FILE:
            yield f"{name} has {lines} lines: split it by idea"


def find_oversized(sources: Iterable[Source]) -> Iterator[str]:
    """Each file and function that has passed its bound, in lines."""
    for source in sources:
        lines = len(source.text.splitlines())
        if lines > LONGEST_FILE:
            yield f"{source.module} has {lines} lines"
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    yield f"{source.module}:{node.lineno} {node.name} has {lines} lines"


def test_nothing_in_app_is_too_long() -> None:
    assert list(find_oversized(read_app())) == []


def test_no_file_of_tests_is_too_long() -> None:
    files = (ROOT / "tests").rglob("*.py")
    assert list(find_long_tests((path.as_posix(), path.read_text("utf-8")) for path in files)) == []


def test_a_long_file_of_tests_is_found() -> None:
    assert list(find_long_tests([("tests/test_merge.py", "x = 1\n" * 400)])) == []
    assert list(find_long_tests([("tests/test_merge.py", "x = 1\n" * 401)])) != []


def test_a_long_file_is_found() -> None:
    assert list(find_oversized([parse("app.calls.intake.group_commit", "x = 1\n" * 300)])) == []
    assert list(find_oversized([parse("app.calls.intake.group_commit", "x = 1\n" * 301)])) != []


def test_a_long_function_is_found() -> None:
    for start in ("def write():\n", "async def write():\n"):
        assert (
            list(find_oversized([parse("app.calls.intake.group_commit", start + "    x = 1\n" * 44)])) == []
        )
        assert (
            list(find_oversized([parse("app.calls.intake.group_commit", start + "    x = 1\n" * 45)])) != []
        )
