"""Rows of the telephony statistics and the filters of `voximplant.statistic.get`.

Follows api-reference/telephony/voximplant/voximplant-statistic-get.md: operators, fields, all values text
or null except RECORD_FILE_ID. docs/bitrix24.md tells the rules that this page leaves open: unknown operators
and empty array filters are dropped silently.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

Predicate = Callable[["StatisticsRow"], bool]


@dataclass(slots=True, kw_only=True)
class StatisticsRow:
    """One leg of a call in the portal's store; times are Unix seconds, `cost` is decimal text.

    The statistics show the leg from `visible_at` on.
    """

    id: int
    call_id: str
    call_type: int
    phone_number: str
    portal_number: str
    user_id: int | None
    started_at: int
    duration_s: int
    cost: str = "0.0000"
    currency: str = "EUR"
    code: str = "200"
    reason: str = ""
    crm_entity_type: str | None = None
    crm_entity_id: int | None = None
    crm_activity_id: int | None = None
    record_file_id: int | None = None
    record_url: str = ""
    transcript_id: int | None = None
    vote: int | None = None
    comment: str | None = None
    category: str = "external"
    visible_at: int = 0

    def to_wire(self, utc_offset_s: int) -> dict[str, Any]:
        """The row in an answer of REST, in the portal's own time zone."""
        return {
            "ID": str(self.id),
            "PORTAL_USER_ID": _text(self.user_id),
            "PORTAL_NUMBER": self.portal_number,
            "PHONE_NUMBER": self.phone_number,
            "CALL_ID": self.call_id,
            "EXTERNAL_CALL_ID": None,
            "CALL_CATEGORY": self.category,
            "CALL_LOG": None,
            "CALL_DURATION": str(self.duration_s),
            "CALL_START_DATE": format_time(self.started_at, utc_offset_s),
            "CALL_RECORD_URL": self.record_url,
            "CALL_VOTE": _text(self.vote),
            "COST": self.cost,
            "COST_CURRENCY": self.currency,
            "CALL_FAILED_CODE": self.code,
            "CALL_FAILED_REASON": self.reason,
            "CRM_ENTITY_TYPE": self.crm_entity_type,
            "CRM_ENTITY_ID": _text(self.crm_entity_id),
            "CRM_ACTIVITY_ID": _text(self.crm_activity_id),
            "REST_APP_ID": None,
            "REST_APP_NAME": None,
            "TRANSCRIPT_ID": _text(self.transcript_id),
            "TRANSCRIPT_PENDING": "N",
            "SESSION_ID": None,
            "REDIAL_ATTEMPT": None,
            "COMMENT": self.comment,
            "RECORD_DURATION": str(self.duration_s) if self.record_file_id else None,
            "RECORD_FILE_ID": self.record_file_id,
            "CALL_TYPE": str(self.call_type),
        }


def format_time(at: int, utc_offset_s: int) -> str:
    """Unix seconds as ISO 8601 with the portal's offset."""
    return datetime.fromtimestamp(at, timezone(timedelta(seconds=utc_offset_s))).isoformat()


def parse_time(text: str) -> int | None:
    """An ISO 8601 date as Unix seconds (without an offset: UTC), or None when it cannot be read."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


_FIELDS: dict[str, tuple[Callable[[StatisticsRow], Any], str]] = {
    "ID": (lambda row: row.id, "int"),
    "CALL_ID": (lambda row: row.call_id, "text"),
    "EXTERNAL_CALL_ID": (lambda _: None, "text"),
    "CALL_CATEGORY": (lambda row: row.category, "text"),
    "PORTAL_USER_ID": (lambda row: row.user_id, "int"),
    "PORTAL_NUMBER": (lambda row: row.portal_number, "text"),
    "PHONE_NUMBER": (lambda row: row.phone_number, "text"),
    "CALL_TYPE": (lambda row: row.call_type, "int"),
    "CALL_DURATION": (lambda row: row.duration_s, "int"),
    "CALL_START_DATE": (lambda row: row.started_at, "time"),
    "CALL_RECORD_URL": (lambda row: row.record_url, "text"),
    "CALL_VOTE": (lambda row: row.vote, "int"),
    "COST": (lambda row: Decimal(row.cost), "decimal"),
    "COST_CURRENCY": (lambda row: row.currency, "text"),
    "CALL_FAILED_CODE": (lambda row: row.code, "text"),
    "CALL_FAILED_REASON": (lambda row: row.reason, "text"),
    "CRM_ENTITY_TYPE": (lambda row: row.crm_entity_type, "text"),
    "CRM_ENTITY_ID": (lambda row: row.crm_entity_id, "int"),
    "CRM_ACTIVITY_ID": (lambda row: row.crm_activity_id, "int"),
    "TRANSCRIPT_ID": (lambda row: row.transcript_id, "int"),
    "COMMENT": (lambda row: row.comment, "text"),
}

NULL = 2

_KEY = re.compile(r"(!><|><|>=|<=|!=|!%|[!><?=%])?([A-Z_]+)")


def select_rows(rows: Iterable[StatisticsRow], conditions: object) -> list[StatisticsRow]:
    """Rows that meet every condition of a FILTER; a key with an unknown operator or field is dropped."""
    predicates = compile_filter(conditions)
    return [row for row in rows if all(is_met(row) for is_met in predicates)]


def compile_filter(conditions: object) -> list[Predicate]:
    """The predicates of a FILTER that is an object; for any other FILTER there are none. A key with an empty
    array gives no predicate.
    """
    if not isinstance(conditions, dict):
        return []
    predicates: list[Predicate] = []
    for key, value in conditions.items():
        match = _KEY.fullmatch(str(key))
        if match is None or match[2] not in _FIELDS or value in ([], {}):
            continue
        read, kind = _FIELDS[match[2]]
        values = list(value.values()) if isinstance(value, dict) else value
        many = values if isinstance(values, list) else [values]
        predicates.append(_predicate(match[1] or "=", read, [_cast(item, kind) for item in many]))
    return predicates


def sort_rows(rows: list[StatisticsRow], sort: object, order: object) -> list[StatisticsRow]:
    """The rows sorted, when SORT and ORDER come together and name a known field except CALL_TYPE; else
    unsorted.
    """
    if not isinstance(sort, str) or not isinstance(order, str) or order.upper() not in ("ASC", "DESC"):
        return rows
    if sort not in _FIELDS or sort == "CALL_TYPE":
        return rows
    read = _FIELDS[sort][0]
    return sorted(rows, key=lambda row: _ordering(read(row)), reverse=order.upper() == "DESC")


def _predicate(operator: str, read: Callable[[StatisticsRow], Any], values: list[Any]) -> Predicate:
    if operator.startswith("!"):
        is_met = _predicate(operator[1:].removeprefix("=") or "=", read, values)
        return lambda row: not is_met(row)
    if operator == "><":
        return lambda row: (
            _compare(read(row), values[0]) in (0, 1) and _compare(read(row), values[-1]) in (-1, 0)
        )
    if operator == "=":
        return lambda row: read(row) in values
    if operator in ("%", "?"):
        parts = [str(item).lower() for item in values]
        return lambda row: any(part in str(read(row) or "").lower() for part in parts)
    wanted = {">": (1,), ">=": (0, 1), "<": (-1,), "<=": (-1, 0)}[operator]
    return lambda row: any(_compare(read(row), item) in wanted for item in values)


def _cast(value: object, kind: str) -> Any:  # noqa: ANN401 - Each kind of field has its own type.
    """A filter value as the field's type. For a field of integers a non-empty array becomes 1, as in PHP, and
    for any other field an empty text. In a batch, a path that does not resolve gives such an array.
    """
    if isinstance(value, dict | list):
        return int(bool(value)) if kind == "int" else ""
    if value is None or value == "":
        return None
    readers: dict[str, Callable[[str], Any]] = {
        "int": _leading_integer,
        "time": parse_time,
        "decimal": _decimal,
        "text": str,
    }
    return readers[kind](str(value))


def _leading_integer(text: str) -> int:
    """The integer that PHP casts a text to: the digits at its start, or 0."""
    digits = re.match(r"\s*[+-]?\d+", text)
    return int(digits[0]) if digits else 0


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)


def _compare(left: Any, right: Any) -> int:  # noqa: ANN401 - Numbers, decimals or texts, both alike.
    """-1, 0 or 1. If one side is None the result is NULL, so that <, = and > all fail, as in SQL."""
    if left is None or right is None:
        return NULL
    return int(left > right) - int(left < right)


def _ordering(value: object) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
