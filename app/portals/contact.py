"""The states of a portal that refuses Callbook for a while, and how long Callbook leaves it alone: pure.

A refusal is never a reason to erase: the customer may pay, the portal may open again, the administrator may
lift a restriction. Documentation: settings/oauth/error-codes.md, _includes/system-errors.md.
"""

from typing import Any

from app.bitrix24.errors import BitrixFailure
from app.portals.model import ContactState

# Codes that speak of the whole portal, or of the token's owner in it, and not of the method that was called.
STATE_OF_CODE: dict[str, ContactState] = {
    "payment_required": "payment_required",
    "portal_deleted": "portal_closed",
    "user_access_error": "restricted",
}
# A missing right, or a plan without REST: only a second request tells which (see PortalAccess).
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
    """The state that this failure alone proves; None if the failure speaks of one method or of the moment.

    `is_of_profile`: the failed method was `profile`. It needs no right, so a denied access means that the
    plan has no REST.
    """
    if is_of_profile and failure.code == AMBIGUOUS:
        return "plan_without_rest"
    return STATE_OF_CODE.get(failure.code)


def pause_s(failures: int) -> int:
    """The pause in seconds after a refusal that follows `failures` others: five minutes after the first one,
    then three times as long each time, a day at most. Each attempt may have to refresh an expired pair, and
    refreshes are scarce.
    """
    growth: int = 3 ** min(failures, 10)
    return min(FIRST_PAUSE_S * growth, LONGEST_PAUSE_S)
