"""Hiding of secrets in the log: the second lock behind the rule "never pass a secret to the log".

A secret is known by its name (`auth=…`) or by its looks: a long run of letters and digits is a token, a long
row of digits a phone number. Times, addresses and our own names stay readable.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

HIDDEN = "…"
_SECRET_KEY = re.compile(
    r"token|secret|password|auth_id|refresh|authorization|phone|encryption", re.IGNORECASE
)
_NAMED = re.compile(
    r"(?P<name>(?:auth|access_token|refresh_token|client_secret|application_token|AUTH_ID|REFRESH_ID"
    r"|authorization)(?:\]|%5D)?[\"']?\s*[=:]\s*(?:Bearer\s+)?[\"']?)[^\s&\"']+",
    re.IGNORECASE,
)
# Only a run with a digit is a token; a traceback is full of long names without digits.
_TOKEN = re.compile(r"(?<![0-9A-Za-z_-])(?=[A-Za-z_-]*\d)[0-9A-Za-z_-]{24,}={0,2}")
_NUMBER = re.compile(r"(?<!\w)(?<!\d[.:-])\+?\(?\d[\d ()-]{7,}\d(?!\w|[.:-]\d)")
_SAFE_KEYS = frozenset(
    {"timestamp", "portal_id", "member_id", "token_state", "token_version", "refreshed", "level"}
)


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide each value that has the name of a secret; in other values, hide the parts that look like a secret.
    A processor for structlog.
    """
    for key, value in event.items():
        # A name with an underscore is structlog's own, and its renderers take it out.
        if not key.startswith("_"):
            event[key] = _redact_value(key, value)
    return event


def redact_text(text: str) -> str:
    """The text without tokens, secrets and phone numbers."""
    named = _NAMED.sub(lambda match: match["name"] + HIDDEN, text)
    return _NUMBER.sub(HIDDEN, _TOKEN.sub(HIDDEN, named))


def _redact_value(key: str, value: object) -> object:
    if key in _SAFE_KEYS or value is None or isinstance(value, bool | int | float):
        return value if key in _SAFE_KEYS or not _SECRET_KEY.search(key) else HIDDEN
    if _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(name): _redact_value(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value("", inner) for inner in value]
    return redact_text(value if isinstance(value, str) else str(value))
