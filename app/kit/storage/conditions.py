"""Conditions of statements that several features share."""

from collections.abc import Collection

from piccolo.columns.combination import WhereRaw

MOST_PARAMETERS = 1_000  # PostgreSQL takes 32,767 in a statement, SQLite 32,766.


def is_among(column: str, numbers: Collection[int]) -> WhereRaw:
    """The condition that a column holds one of the numbers, however many they are."""
    text, values = among(column, numbers)
    return WhereRaw(text, *values)


def among(column: str, numbers: Collection[int]) -> tuple[str, list[int]]:
    """The same condition as SQL with Piccolo's placeholders, and their values.

    Up to MOST_PARAMETERS numbers are passed as parameters, so that the database recognises the statement. If
    there are more, all stand in the statement's text, for which no limit of parameters holds; both databases
    plan such a list like a list of parameters.
    """
    ordered = sorted(numbers)
    if not ordered:
        return "1 = 0", []
    if len(ordered) <= MOST_PARAMETERS:
        return f"{column} IN ({', '.join('{}' for _ in ordered)})", ordered
    return f"{column} IN ({', '.join(format(number, 'd') for number in ordered)})", []
