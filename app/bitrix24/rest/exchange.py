"""The record of one request to Bitrix24: enough to explain it later, and nothing that can be misused.

The Marketplace demands that requests and answers are logged for three days, without tokens or personal data.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec

_log = logging.getLogger(__name__)
_HIDDEN = "…"
_MAX_LENGTH = 4000
_MAX_TEXT = 200
_SMALL_NUMBER = 10_000  # Smaller numbers are shown: every outside phone number is larger.
_HARMLESS_KEYS = frozenset(
    {
        *("id", "call_id", "call_start_date", "call_type", "portal_user_id", "crm_activity_id"),
        *(
            "sort",
            "order",
            "start",
            "select",
            "halt",
            "event",
            "handler",
            "placement",
            "grant_type",
            "active",
        ),
    }
)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer, redacted. `at` is Unix seconds. `status` is None without a whole answer,
    `error_code` without an error.

    `method` is the REST method, or `app.info` and `oauth/token` at the authorization server; `parameters` is
    JSON text of keys and harmless scalars.
    """

    at: int
    kind: Literal["rest", "oauth"]
    member_id: str | None
    host: str
    method: str
    parameters: str
    status: int | None
    error_code: str | None
    duration_ms: int
    result_summary: str


Record = Callable[[Exchange], Awaitable[None]]


async def keep(record: Record, exchange: Exchange) -> None:
    """Record the exchange. A failure is only logged: the answer, which may hold a new token, must
    not be lost.
    """
    try:
        await record(exchange)
    except Exception as error:  # noqa: BLE001  The answer matters more than any error of the recorder.
        _log.error("rest_exchange_not_recorded", extra={"error": type(error).__name__})


def redact(parameters: Mapping[str, object]) -> str:
    """The parameters as JSON text: all keys, and only the scalars that are neither personal nor secret."""
    return json.dumps(_redacted("", parameters), ensure_ascii=False, default=lambda _: _HIDDEN)[:_MAX_LENGTH]


def _redacted(key: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {str(inner): _redacted(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(key, item) for item in value[:50]]
    if value is None or isinstance(value, bool):
        return value
    if key.lstrip("<>=!@%*").lower() in _HARMLESS_KEYS:
        return value if isinstance(value, int) else str(value)[:_MAX_TEXT]
    if isinstance(value, int) and abs(value) < _SMALL_NUMBER:
        return value
    return _HIDDEN


def summarise(result: object, total: int | None = None) -> str:
    """The kind of the result and its size, as `list of 50, total 120`."""
    if isinstance(result, list):
        text = f"list of {len(result)}"
    elif isinstance(result, dict):
        text = f"object of {len(result)}"
    else:
        text = str(result).lower() if result is None or isinstance(result, bool) else type(result).__name__
    return text if total is None else f"{text}, total {total}"
