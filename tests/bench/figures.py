"""Figures beside their limits."""

from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """A measured value and its limit; None if it only stands beside another figure."""

    what: str
    value: float
    limit: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the limit is kept."""
        return self.limit is None or self.value <= self.limit


def report(title: str, figures: Sequence[Figure]) -> bool:
    """Print the figures; return whether every limit is kept."""
    print(f"\n{title:64}{'':>10}{'limit':>10}")
    for figure in figures:
        limit = "" if figure.limit is None else f"{figure.limit:,.1f}"
        missed = "" if figure.is_met else "  MISSED"
        print(f"{figure.what:64}{figure.value:>10,.1f}{limit:>10}{missed}")
    return all(figure.is_met for figure in figures)
