"""The meaning of a call's type and code (docs/interface.md, "Calls"). Pure, and the one place that knows it.

Codes are Bitrix24's own text: documentation, api-reference/telephony/events/on-voximplant-call-end.md.
"""

from typing import Literal, get_args

Direction = Literal["in", "out", "callback", "info"]
Outcome = Literal[
    "answered", "missed", "no_answer", "declined", "cancelled", "busy", "unreachable", "failed", "unknown"
]

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

TYPES_BY_DIRECTION: dict[Direction, tuple[int, ...]] = {
    "in": (2, 3),
    "out": (1,),
    "callback": (4,),
    "info": (5,),
}
DIRECTION_BY_TYPE: dict[int, Direction] = {
    call_type: direction for direction, types in TYPES_BY_DIRECTION.items() for call_type in types
}
UNANSWERED = "304"  # Of an incoming call: missed; of an outgoing one: nobody answered.
OUTCOME_BY_CODE: dict[str, Outcome] = {
    "200": "answered",
    "603": "declined",
    "603-S": "cancelled",
    "486": "busy",
    "480": "unreachable",
    "484": "unreachable",
    "503": "unreachable",
}
# In the order of the documentation; portals send others too.
DOCUMENTED_CODES = (
    *("200", "304", "603", "603-S", "403", "404", "486", "484", "503", "480", "402", "423", "OTHER"),
)


def direction_of(call_type: int | None) -> Direction | None:
    """The direction of the call; None for a type that is missing or undocumented."""
    return DIRECTION_BY_TYPE.get(call_type) if call_type is not None else None


def outcome_of(call_type: int | None, code: str | None) -> Outcome | None:
    """How the call ended; None without a code (the filter calls that `unknown`)."""
    if not code:
        return None
    if code == UNANSWERED:
        return "missed" if direction_of(call_type) == "in" else "no_answer"
    return OUTCOME_BY_CODE.get(code, "failed")
