"""What a portal is, inside Callbook; its secrets stay in the vault."""

from dataclasses import dataclass
from typing import Literal

TokenState = Literal["ok", "reinstall_needed", "uninstalled"]


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
    token_state: TokenState
    has_dangling_refresh: bool
    setup: str
    installed_at: int
    uninstalled_at: int | None
    erase_at: int | None
    last_event_at: int | None
    is_lookup_wanted: bool
    people_read_at: int
    synced_at: int | None

    @property
    def is_reachable(self) -> bool:
        """Whether we may contact the portal."""
        return self.is_installed and self.token_state == "ok"
