"""The time of day comes from a Clock, so that a test can set it."""

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.sources import Source, parse, read_app

CLOCK = "app.kit.clock"
READS_THE_TIME = {
    "time.time",
    "time.time_ns",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "datetime.date.today",
}


def find_time_readers(sources: Iterable[Source]) -> Iterator[str]:
    """Each use of the machine's clock, called or passed on, outside the one module that may."""
    for source in sources:
        if source.module == CLOCK:
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Name | ast.Attribute) and source.dotted(node) in READS_THE_TIME:
                yield f"{source.module}:{node.lineno} {source.dotted(node)}"


def test_only_the_clock_reads_the_time() -> None:
    assert list(find_time_readers(read_app())) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time\nnow = time.time()",
        "from time import time\nnow = time()",
        "import time as t\nnow = t.time_ns()",
        "import time\nfield(default_factory=time.time)",
        "import datetime as dt\nnow = dt.datetime.now(dt.UTC)",
        "from datetime import datetime, UTC\nnow = datetime.now(UTC)",
        "def late():\n    from datetime import date as day\n    return day.today()",
    ],
)
def test_a_reader_of_the_time_is_found(text: str) -> None:
    assert len(list(find_time_readers([parse("app.calls.intake.group_commit", text)]))) == 1


def test_the_clock_and_durations_pass() -> None:
    assert list(find_time_readers([parse(CLOCK, "import time\nnow = time.time()")])) == []
    assert (
        list(
            find_time_readers(
                [parse("app.calls.intake.group_commit", "import time\nstart = time.monotonic()")]
            )
        )
        == []
    )
