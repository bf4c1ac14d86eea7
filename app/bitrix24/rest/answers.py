"""The JSON of an answer, read within bounds: of bytes, of elements, and one part after another.

A decoder keeps the interpreter to itself until it has ended, in a thread of its own too. So the whole of an
answer is only passed over, which takes milliseconds for the largest one, and each part is decoded by itself,
with a pause for others in between. How many elements there can be is known before anything is made of them:
each begins after a comma or a bracket.
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
_MOST_DIGITS = 40  # No number of Bitrix24's is longer; to read thousands of digits takes long.
_ABSENT = msgspec.Raw(b"")

Part = Any  # What is not decoded yet (msgspec.Raw), or the value where the patient decoder was needed.


class Bounds(msgspec.Struct, frozen=True):
    """How large an answer, or a part of one, may be."""

    most_bytes: int
    most_elements: int


# Fifty rows of a list with a hundred fields are 5,000 elements; a transcript has its commas.
CALL = Bounds(1024 * 1024, 20_000)
# 2,500 rows of the statistics are 1.5 MiB and 80,000 elements.
BATCH = Bounds(4 * 1024 * 1024, 200_000)
# The decoder for what the fast one refuses takes five times as long; what is larger is asked for in halves.
PATIENT = Bounds(1024 * 1024, 50_000)
# Codes, numbers, the time of one command.
SMALL = Bounds(64 * 1024, 1_000)


class Document(msgspec.Struct, frozen=True):
    """What an answer says beside its result, and its result: parts, each as it came."""

    result: Part = _ABSENT
    error: Part = _ABSENT
    error_description: Part = _ABSENT
    total: Part = _ABSENT
    next: Part = _ABSENT
    time: Part = _ABSENT


class _RawDocument(msgspec.Struct):
    result: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    error_description: msgspec.Raw = _ABSENT
    total: msgspec.Raw = _ABSENT
    next: msgspec.Raw = _ABSENT
    time: msgspec.Raw = _ABSENT


def read_document(body: bytes, bounds: Bounds) -> Document:
    """The parts of an answer; raises TooLarge, and ValueError for what is no JSON object."""
    _check(body, bounds)
    try:
        return Document(**msgspec.structs.asdict(msgspec.json.decode(body, type=_RawDocument)))
    except (msgspec.DecodeError, RecursionError):
        parts = _decode_patiently(body)
    if not isinstance(parts, dict):
        raise ValueError("no JSON object")  # noqa: TRY004  As of any other text that is none.
    return Document(**{name: parts[name] for name in Document.__struct_fields__ if name in parts})


def is_there(part: Part) -> bool:
    """Whether the answer has this part."""
    return part is not _ABSENT


def decode_part(part: Part, bounds: Bounds) -> Any:  # noqa: ANN401  Whatever JSON holds.
    """The value; None where the part is absent. Raises TooLarge, and ValueError for what cannot be read."""
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
    """The value of a part that is small with every honest portal; None for one that is not, or unreadable."""
    try:
        return decode_part(part, SMALL)
    except (TooLarge, ValueError):
        return None


def open_parts(part: Part, names: tuple[str, ...]) -> dict[str, Part]:
    """The values of an object under these names, none of them decoded yet; nothing is made of others.

    PHP writes an empty array as `[]`, and so it would one with keys 0, 1, …: no name may be a number.
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
    """A type that holds what is under these names and passes over everything else."""
    keys = {f"part{index}": name for index, name in enumerate(names)}
    return msgspec.defstruct("Parts", [(field, msgspec.Raw, _ABSENT) for field in keys], rename=keys)


def to_mapping(value: object) -> dict[str, Any]:
    """An object by its names, and a list by its places; empty for everything else."""
    if isinstance(value, dict):
        return value
    return {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else {}


def read_object(body: bytes, bounds: Bounds) -> Mapping[str, Any]:
    """A small answer as a whole; raises TooLarge, and ValueError for what is no JSON object."""
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
    number = read_whole(value, -INT64_MAX)  # One of thousands of digits has no text in Python.
    return "" if number is None else str(number)


def _check(text: bytes, bounds: Bounds) -> None:
    if len(text) > bounds.most_bytes:
        raise TooLarge
    if len(text) >= bounds.most_elements and _count(text) > bounds.most_elements:
        raise TooLarge


def _count(text: bytes) -> int:
    """At least as many as there are elements; the commas in texts count too."""
    return 1 + len(text) - len(text.translate(None, _BEGINNINGS))


def _decode_patiently(text: bytes) -> Any:  # noqa: ANN401  As above.
    """What the fast decoder refuses: half a character, invalid UTF-8, numbers that no float holds (None).

    Raises TooLarge, and ValueError for what is no JSON.
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
