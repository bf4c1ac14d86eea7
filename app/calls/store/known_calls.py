"""Calls that may be known already, and their changes. Pure; `call_queries.py` reads and writes them."""

import re
from collections.abc import Mapping

import msgspec

from app.calls.store.legs import FLAG_FIELDS, Leg, Legs

Key = tuple[int, str]  # portal_id, call_id as stored
Values = dict[str, object]  # Of a row of `calls`, by column.
_FLAGS = (*FLAG_FIELDS, "is_start_guessed")  # SQLite has them as integers.
_NOT_A_DIGIT = re.compile("[^0-9]")


class KnownCall(msgspec.Struct):
    """A stored call: the values of its own row, its legs, and their ids.

    `leg_ids` is empty while only one event has told of the call: then the call's own row holds the leg.
    """

    key: Key
    values: Values
    legs: Legs
    leg_ids: dict[Leg, int]


class Change(msgspec.Struct):
    """The new state of a call: its `legs`. Where `known` is None it is inserted with its `source`; without
    legs it is deleted.
    """

    key: Key
    known: KnownCall | None
    legs: Legs
    source: str


def digits_of(phone_number: str | None) -> str | None:
    """The number's digits for the search, if it has two or more."""
    digits = _NOT_A_DIGIT.sub("", phone_number) if phone_number else ""
    return digits if len(digits) > 1 else None


def is_changed(change: Change) -> bool:
    """Whether the change writes anything."""
    if change.known is None:
        return bool(change.legs)
    return set(change.legs) != set(change.known.legs)


def rows_of_legs(change: Change) -> Legs:
    """The legs that have rows: none while only one event has told of the call, because its own row holds the
    leg.
    """
    if len(change.legs) == 1 and change.legs[0].is_telling:
        return ()
    return change.legs


def leg_of_row(row: Mapping[str, object]) -> Leg:
    """The leg in a row of `call_legs`, or the telling in a row of `calls`."""
    values = {name: row[name] for name in Leg.__struct_fields__ if name in row}
    for name in _FLAGS:
        values[name] = bool(values[name])
    return msgspec.convert(values, Leg)
