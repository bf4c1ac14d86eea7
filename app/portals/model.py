"""What a portal is, inside Callbook; its secrets stay in the vault."""

from dataclasses import dataclass
from typing import Literal

TokenState = Literal["ok", "reinstall_needed", "uninstalled"]
# Why a portal is left alone for a while, though its pair may be alive.
ContactState = Literal["ok", "payment_required", "portal_closed", "plan_without_rest", "restricted"]
Connection = Literal[
    "ok", "reinstall_needed", "payment_required", "restricted", "portal_closed", "uninstalled"
]


@dataclass(frozen=True, slots=True)
class Portal:
    """One tenant as stored, without its secrets."""

    id: int
    member_id: str
    is_installed: bool
    generation: int
    domain: str
    client_endpoint: str
    oauth_server: str
    license_status: str
    language: str
    application_token_hash: str | None
    token_version: int
    token_user_id: int | None
    access_expires_at: int
    pair_stored_at: int
    pair_bought_at: int
    token_state: TokenState
    has_dangling_refresh: bool
    refresh_lease_until: int
    setup: str
    installed_at: int
    uninstalled_at: int | None
    erase_at: int | None
    last_event_at: int | None
    is_lookup_wanted: bool
    people_read_at: int
    synced_at: int | None
    contact_state: ContactState
    contact_failures: int
    contact_retry_at: int
    contact_since: int
    license_ends_at: int | None
    is_license_over: bool
    app_code: str
    checked_at: int
    dead_since: int
    seen_at: int
    silence_warned_at: int

    @property
    def is_reachable(self) -> bool:
        """Whether there is a pair that may work; a pause forbids its use all the same."""
        return self.is_installed and self.token_state == "ok"

    def is_paused(self, now: int) -> bool:
        """Whether the portal refused us and is left alone until later."""
        return self.contact_state != "ok" and self.contact_retry_at > now

    @property
    def connection(self) -> Connection:
        """`token` in GET /api/v1/sync: the one word for how we stand with the portal."""
        return connection_of(self.token_state, self.contact_state)


def connection_of(token_state: TokenState, contact_state: ContactState) -> Connection:
    """The one word for both."""
    if token_state != "ok":
        return token_state
    return "restricted" if contact_state == "plan_without_rest" else contact_state
