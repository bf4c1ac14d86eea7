"""The JSON of an answer, read within bounds of bytes and of elements, and one part after another.

A decoder blocks the interpreter until it has ended, even in a thread of its own. So a first scan only splits
an answer into its parts, which takes milliseconds for the largest one. Each part is then decoded by itself,
with a pause for other tasks in between. The number of elements is bounded before any is decoded: each begins
after a comma or a bracket.
"""

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from app.bitrix24.errors import TooLarge
from app.bitrix24.text import without_surrogates
from app.kit.json_values import INT64_MAX, read_whole

_BEGINNINGS = b",[{"
_MOST_DIGITS = 40  # No number of Bitrix24's is longer, and reading thousands of digits takes long.
_ABSENT = msgspec.Raw(b"")

Part = Any  # Undecoded JSON (msgspec.Raw), or the value itself when the patient decoder was needed.


class Bounds(msgspec.Struct, frozen=True):
    """How large an answer, or a part of one, may be."""

    most_bytes: int
    most_elements: int


# Fifty rows of a list with a hundred fields are 5,000 elements; the commas of a transcript's text count too.
CALL = Bounds(1024 * 1024, 20_000)
# 2,500 rows of the statistics are 1.5 MiB and 80,000 elements.
BATCH = Bounds(4 * 1024 * 1024, 200_000)
# The patient decoder, for answers that the fast one refuses, takes five times as long, so its bound is lower.
# After a larger answer (TooLarge), the readers of lists ask again for half as much.
PATIENT = Bounds(1024 * 1024, 50_000)
# For codes, numbers and the time of one command.
SMALL = Bounds(64 * 1024, 1_000)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's result and the parts beside it, none of them decoded yet."""

    result: Part = _ABSENT
    error: Part = _ABSENT
    error_description: Part = _ABSENT
    total: Part = _ABSENT
    next: Part = _ABSENT
    time: Part = _ABSENT


class _RawDocument(msgspec.Struct, kw_only=True):
    result: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    error_description: msgspec.Raw = _ABSENT
    total: msgspec.Raw = _ABSENT
    next: msgspec.Raw = _ABSENT
    time: msgspec.Raw = _ABSENT


def read_document(body: bytes, bounds: Bounds) -> Document:
    """The parts of an answer; raises TooLarge, and ValueError when it is no JSON object."""
    _check(body, bounds)
    try:
        return Document(**msgspec.structs.asdict(msgspec.json.decode(body, type=_RawDocument)))
    except (msgspec.DecodeError, RecursionError):
        parts = _decode_patiently(body)
    if not isinstance(parts, dict):
        raise ValueError("no JSON object")  # noqa: TRY004  One error for every malformed text.
    return Document(**{name: parts[name] for name in Document.__struct_fields__ if name in parts})


def is_there(part: Part) -> bool:
    """Whether the answer has this part."""
    return part is not _ABSENT


def decode_part(part: Part, bounds: Bounds) -> Any:  # noqa: ANN401  Any value of JSON.
    """The value; None when the part is absent. Raises TooLarge, and ValueError when it cannot be read."""
    if not isinstance(part, msgspec.Raw):
        return part
    if part is _ABSENT:
        return None
    text = bytes(part)
    _check(text, bounds)
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_patiently(text)


def decode_small(part: Part) -> Any:  # noqa: ANN401  As above.
    """The value of a part that every honest portal keeps small; None when it is too large or unreadable."""
    try:
        return decode_part(part, SMALL)
    except (TooLarge, ValueError):
        return None


def open_parts(part: Part, names: tuple[str, ...]) -> dict[str, Part]:
    """The values of an object under these names, none of them decoded yet; other values are skipped.

    No name may be a number: PHP writes an array with the keys 0, 1, … as a list, and an empty array too.
    """
    if not isinstance(part, msgspec.Raw):
        found = part if isinstance(part, dict) else {}
        return {name: found[name] for name in names if name in found}
    try:
        values = msgspec.structs.astuple(msgspec.json.decode(part, type=_object_with(names)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {name: value for name, value in zip(names, values, strict=True) if is_there(value)}


@lru_cache(maxsize=128)
def _object_with(names: tuple[str, ...]) -> type[msgspec.Struct]:
    """A type that holds the values under these names and skips all others."""
    keys = {f"part{index}": name for index, name in enumerate(names)}
    return msgspec.defstruct("Parts", [(field, msgspec.Raw, _ABSENT) for field in keys], rename=keys)


def to_mapping(value: object) -> dict[str, Any]:
    """An object as it is, a list with its indexes as keys; empty for everything else."""
    if isinstance(value, dict):
        return value
    return {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else {}


def read_object(body: bytes, bounds: Bounds) -> Mapping[str, Any]:
    """A small answer, decoded as a whole; raises TooLarge, and ValueError when it is no JSON object."""
    _check(body, bounds)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _decode_patiently(body)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004  As above.
    return value


def read_text(value: object) -> str:
    """A scalar of an answer as text; empty for anything else."""
    if isinstance(value, str):
        return without_surrogates(value)
    number = read_whole(value, -INT64_MAX)  # Python makes no text of an integer of thousands of digits.
    return "" if number is None else str(number)


def _check(text: bytes, bounds: Bounds) -> None:
    if len(text) > bounds.most_bytes:
        raise TooLarge
    if len(text) >= bounds.most_elements and _count(text) > bounds.most_elements:
        raise TooLarge


def _count(text: bytes) -> int:
    """An upper bound of the number of elements: commas and brackets in texts count too."""
    return 1 + len(text) - len(text.translate(None, _BEGINNINGS))


def _decode_patiently(text: bytes) -> Any:  # noqa: ANN401  As above.
    """The value of JSON that the fast decoder refuses: it holds a lone surrogate, invalid UTF-8 or a number
    that no float holds (which becomes None). Raises TooLarge, and ValueError when it is no JSON.
    """
    _check(text, PATIENT)
    try:
        return json.loads(
            text.decode("utf-8", "replace"),
            parse_int=_read_digits,
            parse_float=_read_fraction,
            parse_constant=lambda _: None,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _read_digits(text: str) -> int | None:
    return int(text) if len(text) <= _MOST_DIGITS else None


def _read_fraction(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
