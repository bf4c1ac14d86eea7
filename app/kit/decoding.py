"""Reading JSON that anybody may have written."""

from typing import TypeVar

import msgspec

Kind = TypeVar("Kind")


def decode_json(text: bytes | str, kind: type[Kind], *, is_strict: bool = True) -> Kind:
    """The value, of that kind; raises msgspec.DecodeError for everything else.

    Also for what is nested so deeply that msgspec gives up with a RecursionError, be it in a part that would
    only be passed over.
    """
    try:
        return msgspec.json.decode(text, type=kind, strict=is_strict)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
