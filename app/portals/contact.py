"""What a portal is that refuses us for a while, and how long it is left alone: pure.

A refusal is never a reason to erase: the customer pays, the portal opens again, the administrator changes
their mind. Documentation: settings/oauth/error-codes.md, _includes/system-errors.md.
"""

from typing import Any

from app.bitrix24.errors import BitrixFailure
from app.portals.model import ContactState

# Codes that speak of the whole portal, or of the token's owner in it, whatever was asked.
STATE_OF_CODE: dict[str, ContactState] = {
    "payment_required": "payment_required",
    "portal_deleted": "portal_closed",
    "user_access_error": "restricted",
}
# A missing right, or a plan without REST: only another question tells (see PortalAccess).
AMBIGUOUS = "access_denied"
FIRST_PAUSE_S = 300
LONGEST_PAUSE_S = 86_400
FINE: dict[str, Any] = {
    "contact_state": "ok",
    "contact_failures": 0,
    "contact_retry_at": 0,
    "contact_since": 0,
}


def find_state(failure: BitrixFailure, *, is_of_profile: bool = False) -> ContactState | None:
    """The state that an answer proves by itself; None for what speaks of one method or of the moment.

    `is_of_profile`: it answered `profile`, which needs no right, so that a denied access is the plan's.
    """
    if is_of_profile and failure.code == AMBIGUOUS:
        return "plan_without_rest"
    return STATE_OF_CODE.get(failure.code)


def pause_s(failures: int) -> int:
    """How long a portal is left alone that has refused so often: five minutes, then three times as long each
    time, a day at most. A dead pair's refresh is part of each attempt, and refreshes are scarce.
    """
    growth: int = 3 ** min(failures, 10)
    return min(FIRST_PAUSE_S * growth, LONGEST_PAUSE_S)
