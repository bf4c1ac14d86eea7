"""Pairs of tokens: issuing, looking up, rotating, killing.

The lifetimes, an hour and 180 days, follow settings/oauth/auto-renewal.md. By docs/bitrix24.md a refresh
token may live shorter, and buys only one pair. The values look like those of a real installer page.
"""

import secrets
from dataclasses import dataclass

from app.demo.core.faults import Refusal
from app.demo.core.state import PortalState, Token
from app.kit.clock import Clock

ACCESS_LIFE_S = 3600
DAY_S = 86400


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """The pair that a portal hands out; `expires_at`, in Unix seconds, is the access token's."""

    access_token: str
    refresh_token: str
    user_id: int
    client_id: str
    expires_at: int


class TokenBook:
    """The tokens of all portals; each portal's state stores its own."""

    def __init__(self, clock: Clock, refresh_life_days: int = 180) -> None:
        self.clock = clock
        self.refresh_life_days = refresh_life_days

    def issue(self, portal: PortalState, user_id: int, client_id: str) -> TokenPair:
        """A new pair for a user and an app."""
        now = self.clock.now()
        access = Token(
            value=secrets.token_hex(35),
            kind="access",
            client_id=client_id,
            user_id=user_id,
            expires_at=now + ACCESS_LIFE_S,
        )
        life_s = self.refresh_life_days * DAY_S
        refresh = Token(
            value=secrets.token_hex(35),
            kind="refresh",
            client_id=client_id,
            user_id=user_id,
            expires_at=now + life_s,
        )
        portal.tokens[access.value] = access
        portal.tokens[refresh.value] = refresh
        return TokenPair(
            access_token=access.value,
            refresh_token=refresh.value,
            user_id=user_id,
            client_id=client_id,
            expires_at=access.expires_at,
        )

    def find(self, portal: PortalState, value: str, asked: str) -> Token:
        """The token of this value, even when it is spent or expired. `asked` is "app.info", "oauth.refresh"
        or "rest".

        Raises Refusal: invalid_grant or invalid_token for an unknown token, and the portal's code after an
        uninstall for a dead one.
        """
        kind = "refresh" if asked == "oauth.refresh" else "access"
        token = portal.tokens.get(value)
        if token is None or token.kind != kind:
            if kind == "refresh":
                raise Refusal("invalid_grant", 400, "Invalid refresh token")
            raise Refusal("invalid_token", 401, "Unable to get application by token")
        if token.is_dead:
            code, status = portal.installation(token.client_id).dead_answers[asked]
            raise Refusal(code, status, "Application is not installed")
        return token

    def rotate(self, portal: PortalState, token: Token) -> TokenPair:
        """A new pair for a refresh token, which is spent from now on. Raises Refusal invalid_grant."""
        if token.is_spent or token.expires_at <= self.clock.now():
            raise Refusal("invalid_grant", 400, "Invalid refresh token")
        token.is_spent = True
        return self.issue(portal, token.user_id, token.client_id)

    def find_access(self, portal: PortalState, value: str, asked: str) -> Token:
        """A live access token; raises Refusal with the codes of _includes/system-errors.md."""
        token = self.find(portal, value, asked)
        if token.expires_at <= self.clock.now():
            raise Refusal("expired_token", 401, "The access token provided has expired.")
        return token

    def kill(self, portal: PortalState, client_id: str) -> None:
        """Kill every token of an app in a portal, as an uninstall does."""
        for token in portal.tokens.values():
            token.is_dead = token.is_dead or token.client_id == client_id

    def expire(self, portal: PortalState, client_id: str) -> None:
        """Expire every access token of an app in a portal now."""
        for token in portal.tokens.values():
            if token.client_id == client_id and token.kind == "access":
                token.expires_at = min(token.expires_at, self.clock.now())

    def forget_expired(self, portal: PortalState) -> None:
        """Drop tokens that expired more than a day ago, so that a long demo stays small."""
        for token in list(portal.tokens.values()):
            if token.expires_at < self.clock.now() - DAY_S:
                del portal.tokens[token.value]
