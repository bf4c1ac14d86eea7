"""The standing of a request, judged before any question; it decides the share that the request counts for."""

import hmac
from enum import Enum

from app.portals.model import Portal
from app.portals.vault import Vault


class Standing(Enum):
    """How far a request may be believed before its token is proven."""

    STRANGER = "stranger"  # It names no installed portal.
    KNOWN = "known"  # It names an installed portal, as anyone can.
    PROVEN = "proven"  # It brings that portal's application token, as no stranger can.


def judge_standing(portal: Portal | None, application_token: str | None, vault: Vault) -> Standing:
    """The standing of a request that names this portal; the token is compared in constant time."""
    if portal is None or not portal.is_installed:
        return Standing.STRANGER
    stored = portal.application_token_hash
    if stored is None or not application_token:
        return Standing.KNOWN
    is_right = hmac.compare_digest(stored, vault.hash_application_token(application_token))
    return Standing.PROVEN if is_right else Standing.KNOWN
