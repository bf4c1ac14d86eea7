"""Conditions of statements that several features share."""

from collections.abc import Collection

from piccolo.columns.combination import WhereRaw

MOST_PARAMETERS = 1_000  # PostgreSQL takes 32,767 in a statement, SQLite 32,766.


def is_among(column: str, numbers: Collection[int]) -> WhereRaw:
    """Whether a column holds one of the numbers, however many they are."""
    text, values = among(column, numbers)
    return WhereRaw(text, *values)


def among(column: str, numbers: Collection[int]) -> tuple[str, list[int]]:
    """The same as SQL with Piccolo's placeholders, and their values.

    Few are parameters, so that the statement's text is one that the database knows. Many stand in the text
    itself: no number of parameters then fails, and both databases plan it as a list all the same.
    """
    ordered = sorted(numbers)
    if not ordered:
        return "1 = 0", []
    if len(ordered) <= MOST_PARAMETERS:
        return f"{column} IN ({', '.join('{}' for _ in ordered)})", ordered
    return f"{column} IN ({', '.join(format(number, 'd') for number in ordered)})", []
