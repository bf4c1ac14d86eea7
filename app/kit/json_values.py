"""Reading untrusted JSON, and the numbers in it."""

import re
from typing import TypeVar

import msgspec

Kind = TypeVar("Kind")
INT64_MAX = 2**63 - 1  # The greatest integer that a column of either database holds.
_WHOLE = re.compile(r"-?[0-9]{1,40}")  # Leading zeros are harmless; thousands of digits are an attack.
_MOST_CHARACTERS = 40  # With its fraction and exponent, no number in Bitrix24's protocol is longer.


def decode_json(text: bytes | str, kind: type[Kind], *, is_strict: bool = True) -> Kind:
    """The value, of that kind; raises msgspec.DecodeError for everything else.

    JSON that is nested too deeply raises DecodeError too, even in a part that `kind` skips. (msgspec itself
    would raise RecursionError.)
    """
    try:
        return msgspec.json.decode(text, type=kind, strict=is_strict)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None


def read_whole(value: object, least: int = 0, most: int = INT64_MAX) -> int | None:
    """A whole number from `least` to `most`, written as a JSON number or as text; None for anything else.

    A truth value, a fraction, an exponent and digits of another script give None too.
    """
    if isinstance(value, str):
        value = int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= most else None


def read_finite(value: object, least: float, most: float) -> float | None:
    """A number from `least` to `most`, written as a JSON number or as text; None for anything else.

    Python reads "nan" and "inf" as numbers, and 1e400 as infinite; none of them lies within any bounds.
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
