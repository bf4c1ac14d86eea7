"""Reading JSON that anybody may have written, and the numbers in it."""

import re
from typing import TypeVar

import msgspec

Kind = TypeVar("Kind")
INT64_MAX = 2**63 - 1  # What a column of either database holds.
_WHOLE = re.compile(r"-?[0-9]{1,40}")  # Leading zeros are harmless; thousands of digits are an attack.
_MOST_CHARACTERS = 40  # No number of a protocol is longer, with a fraction and an exponent.


def decode_json(text: bytes | str, kind: type[Kind], *, is_strict: bool = True) -> Kind:
    """The value, of that kind; raises msgspec.DecodeError for everything else.

    Also for what is nested so deeply that msgspec gives up with a RecursionError, be it in a part that would
    only be passed over.
    """
    try:
        return msgspec.json.decode(text, type=kind, strict=is_strict)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None


def read_whole(value: object, least: int = 0, most: int = INT64_MAX) -> int | None:
    """A whole number from `least` to `most`, written as a JSON number or as text; None for anything else.

    Everything else is a truth value, a fraction, an exponent, digits of another script, and what is outside.
    """
    if isinstance(value, str):
        value = int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= most else None


def read_finite(value: object, least: float, most: float) -> float | None:
    """A number from `least` to `most`, written as a JSON number or as text; None for anything else.

    "nan" and "inf" are numbers to Python, and 1e400 is infinite: neither is within any bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # An integer of 400 digits is no float.
        return None
    return number if least <= number <= most else None
