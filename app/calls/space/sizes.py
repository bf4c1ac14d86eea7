"""The size of a call: the number of rows (one, and one for each leg), and the bytes of their texts. Pure.

The bytes count texts only. The space for numbers, for indexes and for the database itself grows with the
number of rows.
"""

from collections.abc import Iterable
from operator import attrgetter

import msgspec

from app.calls.store.known_calls import Change, digits_of, rows_of_legs
from app.calls.store.legs import TEXT_FIELDS, TOLD_FIELDS, Leg, Legs
from app.calls.store.shown_legs import show

TEXTS_OF_LEG = ("call_id", *TEXT_FIELDS)
TEXTS_OF_CALL = (*TEXTS_OF_LEG, "phone_digits")
_texts_of = attrgetter(*TEXT_FIELDS)
_told_texts_of = attrgetter(*(name for name in TEXT_FIELDS if name in TOLD_FIELDS))


class Size(msgspec.Struct, frozen=True):
    """Rows of calls and legs, and the bytes of their texts; negative where calls were removed."""

    rows: int = 0
    text_bytes: int = 0

    def __add__(self, other: "Size") -> "Size":
        """The sum of both."""
        return Size(self.rows + other.rows, self.text_bytes + other.text_bytes)

    def __neg__(self) -> "Size":
        """The same size, negative."""
        return Size(-self.rows, -self.text_bytes)


def size_of_event(call_id: str, leg: Leg) -> Size:
    """The size of a call of which only one event has told."""
    return Size(1, _count_bytes((call_id, *_told_texts_of(leg), digits_of(leg.phone_number))))


def growth_of(changes: Iterable[Change]) -> Size:
    """The size that these changes add to the stored calls."""
    growth = Size()
    for change in changes:
        known = change.known
        before = Size() if known is None else _size(change.key[1], known.legs, tuple(known.leg_ids))
        growth += _size(change.key[1], change.legs, rows_of_legs(change)) + -before
    return growth


def size_sql(texts: Iterable[str], *, is_sqlite: bool) -> str:
    """SQL for the bytes of these columns of a row."""
    length = "LENGTH(CAST({} AS BLOB))" if is_sqlite else "octet_length({})"
    return " + ".join(f"COALESCE({length.format(name)}, 0)" for name in texts)


def _size(call_id: str, legs: Legs, leg_rows: Legs) -> Size:
    if not legs:
        return Size()
    shown = show(legs).leg
    text_bytes = _count_bytes((call_id, *_texts_of(shown), digits_of(shown.phone_number)))
    text_bytes += sum(_count_bytes((call_id, *_texts_of(leg))) for leg in leg_rows)
    return Size(1 + len(leg_rows), text_bytes)


def _count_bytes(texts: Iterable[str | None]) -> int:
    text = "".join(filter(None, texts))
    return len(text) if text.isascii() else len(text.encode())
