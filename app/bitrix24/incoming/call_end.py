"""One ended call, read from ONVOXIMPLANTCALLEND. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from app.bitrix24.text import scalar_text, without_surrogates
from app.kit.calendar import has_date

MAX_CALL_ID_LENGTH = 255
CALL_TYPES = frozenset({1, 2, 3, 4, 5})
INT64_MAX = 2**63 - 1
MAX_INTEGER_LENGTH = 40  # Leading zeros are harmless; thousands of digits are an attack.
_DECIMAL = re.compile(r"([+-]?)([0-9]{1,30})(?:\.([0-9]{0,30}))?(?:[eE]([+-]?[0-9]{1,2}))?")
_OFFSET_WITHOUT_PLUS = re.compile(r" ([0-9]{2}:?[0-9]{2})\Z")


class Undecodable(ValueError):
    """A value contradicts the documentation; the reason names its key and never the value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def key(self) -> str:
        """The key that could not be read."""
        return self.reason.partition(" ")[0]


class CallRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A call as Bitrix24 tells it; None stands for a value that is absent or an empty text.

    `started_at` is Unix seconds, `cost_e4` ten-thousandths of `currency`, `code` Bitrix24's own text.
    """

    call_id: str
    type: int | None
    phone_number: str | None
    portal_number: str | None
    user_id: int | None
    started_at: int | None
    duration_s: int | None
    cost_e4: int | None
    currency: str | None
    code: str | None
    reason: str | None
    crm_activity_id: int | None

    def __repr__(self) -> str:
        """The call id only: a repr may reach a log, and the other fields hold a phone number."""
        return f"{type(self).__name__}(call_id={self.call_id!r})"


def decode_call_end(data: Mapping[str, object]) -> CallRecord:
    """Read a call from the event's data; raises Undecodable when a value contradicts the documentation.

    Documentation: api-reference/telephony/voximplant/events/on-voximplant-call-end.md.
    """
    return CallRecord(
        call_id=read_call_id(data),
        type=read_type(data),
        phone_number=read_number(data, "PHONE_NUMBER"),
        portal_number=read_number(data, "PORTAL_NUMBER"),
        user_id=read_integer(data, "PORTAL_USER_ID") or None,  # No user has id 0.
        started_at=read_moment(data, "CALL_START_DATE"),
        duration_s=read_integer(data, "CALL_DURATION"),
        cost_e4=read_money_e4(data, "COST"),
        currency=read_text(data, "COST_CURRENCY"),
        code=read_text(data, "CALL_FAILED_CODE"),
        reason=read_text(data, "CALL_FAILED_REASON"),
        crm_activity_id=read_integer(data, "CRM_ACTIVITY_ID"),
    )


def read_text(data: Mapping[str, object], key: str) -> str | None:
    """The text under a key, unchanged except that lone surrogates become U+FFFD; None when absent
    or empty.
    """
    value = data.get(key)
    if not isinstance(value, str):
        if isinstance(value, dict | list | tuple | bytes):
            raise Undecodable(f"{key} is not text")
        try:
            value = scalar_text(value)
        except ValueError:  # An integer of thousands of digits has no text in Python.
            raise Undecodable(f"{key} is not text") from None
    if not value:
        return None
    return without_surrogates(value)


def read_call_id(data: Mapping[str, object]) -> str:
    """CALL_ID; raises Undecodable when it is missing, because such a call cannot be recorded."""
    call_id = read_text(data, "CALL_ID")
    if call_id is None:
        raise Undecodable("CALL_ID is missing")
    if len(call_id) > MAX_CALL_ID_LENGTH:
        raise Undecodable(f"CALL_ID is longer than {MAX_CALL_ID_LENGTH} characters")
    return call_id


def read_type(data: Mapping[str, object]) -> int | None:
    """CALL_TYPE, one of the five documented numbers; None when absent."""
    call_type = read_integer(data, "CALL_TYPE")
    if call_type is not None and call_type not in CALL_TYPES:
        raise Undecodable("CALL_TYPE is not one of 1 to 5")
    return call_type


def read_number(data: Mapping[str, object], key: str) -> str | None:
    """A phone number, unchanged except that a leading space becomes the `+` that an unescaped form
    had lost.
    """
    number = read_text(data, key)
    if number is not None and number[0] == " " and number[1:2].isdecimal():
        return "+" + number[1:]
    return number


def read_integer(data: Mapping[str, object], key: str) -> int | None:
    """A non-negative integer that fits 64 bits; None when absent."""
    text = read_text(data, key)
    if text is None:
        return None
    if not (text.isdecimal() and text.isascii()):
        raise Undecodable(f"{key} is not an integer")
    number = int(text) if len(text) <= MAX_INTEGER_LENGTH else INT64_MAX + 1
    if number > INT64_MAX:
        raise Undecodable(f"{key} does not fit 64 bits")
    return number


def read_moment(data: Mapping[str, object], key: str) -> int | None:
    """An ISO 8601 date with its offset, as Unix seconds; None outside the years 1 to 9999 in UTC."""
    text = read_text(data, key)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _moment_with_repaired_offset(text, key)
    if moment.tzinfo is None:
        raise Undecodable(f"{key} has no offset from UTC")
    if moment.microsecond:
        moment = moment.replace(microsecond=0)
    at = int(moment.timestamp())
    return at if has_date(at) else None


def _moment_with_repaired_offset(text: str, key: str) -> datetime:
    """The date with the `+` of its offset restored: an unescaped form turns it into a space."""
    try:
        return datetime.fromisoformat(_OFFSET_WITHOUT_PLUS.sub(r"+\1", text))
    except ValueError:
        raise Undecodable(f"{key} is not an ISO 8601 date") from None


def read_money_e4(data: Mapping[str, object], key: str) -> int | None:
    """An amount of money in ten-thousandths, Bitrix24's own precision; further digits are rounded half up."""
    text = read_text(data, key)
    if text is None:
        return None
    if text in {"0", "0.0000"}:
        return 0
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise Undecodable(f"{key} is not a decimal number")
    amount_e4 = int((Decimal(text) * 10_000).to_integral_value("ROUND_HALF_UP"))
    if abs(amount_e4) > INT64_MAX:
        raise Undecodable(f"{key} does not fit 64 bits")
    return amount_e4
