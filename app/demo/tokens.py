"""Pairs of tokens: issuing, looking up, rotating, killing.

Follows settings/oauth/auto-renewal.md (an hour; 180 days) and, for the shorter life of refresh tokens and
the single use, shared/bitrix24.md. The look of the values is that of shared/samples/install-page.txt.
"""

import secrets
from dataclasses import dataclass

from app.demo.faults import Refusal
from app.demo.state import Installation, PortalState, Token
from app.kit.clock import Clock

ACCESS_LIFE_S = 3600
DAY_S = 86400


@dataclass(frozen=True)
class TokenPair:
    """What a portal hands out; `expires_at` is Unix seconds of the access token."""

    access_token: str
    refresh_token: str
    user_id: int
    client_id: str
    expires_at: int


class TokenBook:
    """The tokens of all portals; values live in each portal's state."""

    def __init__(self, clock: Clock, refresh_life_days: int = 180) -> None:
        self.clock = clock
        self.refresh_life_days = refresh_life_days

    def issue(self, portal: PortalState, user_id: int, client_id: str) -> TokenPair:
        """A new pair for a user and an app."""
        now = self.clock.now()
        access = Token(secrets.token_hex(35), "access", client_id, user_id, now + ACCESS_LIFE_S)
        life_s = self.refresh_life_days * DAY_S
        refresh = Token(secrets.token_hex(35), "refresh", client_id, user_id, now + life_s)
        portal.tokens[access.value] = access
        portal.tokens[refresh.value] = refresh
        return TokenPair(access.value, refresh.value, user_id, client_id, access.expires_at)

    def rotate(self, portal: PortalState, token: Token) -> TokenPair:
        """Exchange a refresh token; it is spent from now on. Raises Refusal invalid_grant."""
        if token.kind != "refresh" or token.is_spent or token.expires_at <= self.clock.now():
            raise Refusal("invalid_grant", 400, "Invalid refresh token")
        token.is_spent = True
        return self.issue(portal, token.user_id, token.client_id)

    def check_access(self, portal: PortalState, value: str) -> Token:
        """The live access token of a portal; Refusal as in _includes/system-errors.md otherwise."""
        token = portal.tokens.get(value)
        if token is None or token.kind != "access":
            raise Refusal("invalid_token", 401, "Unable to get application by token")
        if token.expires_at <= self.clock.now():
            raise Refusal("expired_token", 401, "The access token provided has expired.")
        return token

    def kill(self, portal: PortalState, client_id: str | None = None) -> None:
        """Forget every token of a portal (of one app)."""
        for token in list(portal.tokens.values()):
            if client_id in (None, token.client_id):
                del portal.tokens[token.value]

    def forget_expired(self, portal: PortalState) -> None:
        """Drop tokens that died more than a day ago, so that a long demo stays small."""
        for token in list(portal.tokens.values()):
            if token.expires_at < self.clock.now() - DAY_S:
                del portal.tokens[token.value]


def require_present(installation: Installation, answer: tuple[str, int]) -> None:
    """Refusal with the given code and status when the app is not in the portal."""
    if not installation.is_present:
        raise Refusal(answer[0], answer[1], "Application is not installed")
