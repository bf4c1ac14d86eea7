"""The bench prints the tables of docs/figures.md, and says of a limit that it is missed."""

import pytest

from tests.architecture.sources import ROOT
from tests.bench.figures import MISSED, Figure, print_head, report


def test_figures_are_a_table_and_a_missed_limit_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert report("A week", [Figure("refreshes a day", 4, 4), Figure("mean of all", 2.75)])
    assert not report("A week", [Figure("refreshes a day", 5, 4)])
    met, missed = capsys.readouterr().out.strip().split("\n\n")
    assert met.splitlines() == [
        "| A week |  | limit |",
        "|---|---|---|",
        "| refreshes a day | 4.0 | at most 4.0 |",
        "| mean of all | 2.8 |  |",
    ]
    assert missed.endswith(f"| 5.0 | at most 4.0 {MISSED} |")


def test_a_run_begins_with_its_day_and_its_machine(capsys: pytest.CaptureFixture[str]) -> None:
    print_head(1_764_460_800)
    head, _, machine = capsys.readouterr().out.partition("\n## 30 November 2025\n")
    assert head.startswith("# Figures\n")
    assert "Python 3." in machine


def test_each_table_of_the_document_stands_under_a_day() -> None:
    text = (ROOT / "docs" / "figures.md").read_text("utf-8")
    head, *days = text.split("\n## ")
    assert "|---|" not in head
    assert all("|---|" in day for day in days)
