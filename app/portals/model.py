"""A portal inside Callbook; its secrets stay in the vault."""

from dataclasses import dataclass
from typing import Literal

TokenState = Literal["ok", "reinstall_needed", "uninstalled"]
# The reason why Callbook leaves a portal alone for a while, although its pair may be alive.
ContactState = Literal["ok", "payment_required", "portal_closed", "plan_without_rest", "restricted"]
Connection = Literal[
    "ok", "reinstall_needed", "payment_required", "restricted", "portal_closed", "uninstalled"
]


@dataclass(frozen=True, slots=True, kw_only=True)
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
        """Whether the portal has a pair that may work; the pair must still not be used during a pause."""
        return self.is_installed and self.token_state == "ok"

    def is_paused(self, now: int) -> bool:
        """Whether the portal has refused Callbook and is left alone until a later time."""
        return self.contact_state != "ok" and self.contact_retry_at > now

    @property
    def connection(self) -> Connection:
        """`token` in GET /api/v1/sync: one word for the connection to the portal."""
        return connection_of(self.token_state, self.contact_state)


def connection_of(token_state: TokenState, contact_state: ContactState) -> Connection:
    """One word for the state of the pair and that of the contact; the pair's state comes first."""
    if token_state != "ok":
        return token_state
    return "restricted" if contact_state == "plan_without_rest" else contact_state
