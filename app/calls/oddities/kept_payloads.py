"""The data of one event or row that could not be decoded, as it is kept: bounded, without secrets, and marked
where it was cut.
"""

import json
import re
from collections.abc import Mapping

MAX_PAYLOAD = 8_192  # Bytes of one event or row: sixteen times a usual one.
MAX_TEXT = 512  # Characters of one text: the log stores no more of any text of an event.
MAX_DEPTH = 8  # Lists and objects inside each other: documented data have none.
NOT_WHOLE = "; not kept whole"  # The end of the reason; such an event is shown and never replayed.
_SECRET_KEY = re.compile("auth|token|secret|url", re.IGNORECASE)  # A recording's address opens it to anybody.


class TooDeepError(Exception):
    """A value is nested more deeply than any that is documented."""


def keep_payload(data: Mapping[str, object], reason: str) -> tuple[str, str]:
    """The data as JSON in at most MAX_PAYLOAD bytes, and the reason, marked when something is missing.

    The JSON is escaped to ASCII, so that neither a NUL nor half a character reaches the database.
    """
    kept: dict[str, object] = {}
    is_whole, size = True, len("{}")
    for key, value in data.items():
        if _SECRET_KEY.search(key):
            continue
        fitting, is_fitting = _fit(value)
        taken = len(json.dumps({key: fitting}))
        if size + taken <= MAX_PAYLOAD:
            kept[key] = fitting
            size += taken
        is_whole &= is_fitting and key in kept
    return json.dumps(kept), reason if is_whole else reason + NOT_WHOLE


def is_whole(reason: str) -> bool:
    """Whether all data were kept, by the reason that is stored beside them."""
    return not reason.endswith(NOT_WHOLE)


def _fit(value: object) -> tuple[object, bool]:
    """The value, and True; or the part of it that fits, and False. The part is None where the value is nested
    too deeply.
    """
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT], False
    try:
        return _without_secrets(value, MAX_DEPTH), True
    except TooDeepError:
        return None, False


def _without_secrets(value: object, depth: int) -> object:
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth == 0:
        raise TooDeepError
    if isinstance(value, Mapping):
        return {
            key: _without_secrets(inner, depth - 1)
            for key, inner in value.items()
            if not _SECRET_KEY.search(str(key))
        }
    return [_without_secrets(inner, depth - 1) for inner in value]
