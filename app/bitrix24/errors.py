"""Failures of requests to Bitrix24, told apart by Bitrix24's error code and never by HTTP status.

Documentation: settings/oauth/error-codes.md, _includes/system-errors.md. The sources give different statuses
for one code and write codes in both cases, so codes are compared in lower case.
"""

import re

DEAD_GRANT = frozenset({"invalid_grant"})
APP_GONE = frozenset({"not_installed", "error_oauth", "application_not_found"})
WRONG_CLIENT = frozenset({"invalid_client", "wrong_client"})
EXPIRED = frozenset({"expired_token"})
REJECTED_TOKEN = EXPIRED | DEAD_GRANT | {"invalid_token", "no_auth_found", "wrong_token"}
PAYMENT_REQUIRED = frozenset({"payment_required"})
RESTRICTED = frozenset({"user_access_error", "access_denied", "insufficient_scope", "invalid_credentials"})
INACTIVE_USER = "user_inactive"  # Our own code: the portal answers with no user at all.
TOO_LARGE = "answer_too_large"  # Our own code.
PORTAL_CLOSED = frozenset({"portal_deleted"})
# Codes that judge a token, or its user in the portal. Any other code describes a passing failure.
TOKEN_REFUSED = REJECTED_TOKEN | APP_GONE | WRONG_CLIENT
PORTAL_REFUSES = PAYMENT_REQUIRED | RESTRICTED | PORTAL_CLOSED | {INACTIVE_USER}
TOO_FAST = frozenset({"query_limit_exceeded"})

_MAX_DESCRIPTION = 200
_TELLING = re.compile(r"[0-9A-Za-z_-]{24,}|\+?[0-9][0-9 ()\-]{4,}[0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class BitrixFailure(Exception):
    """Bitrix24 did not serve a request. The text holds no token, no address with a query, no phone number."""

    code: str


class BitrixError(BitrixFailure):
    """Bitrix24 answered with an error. `code` is lower-cased, `status` HTTP's, `description` shortened."""

    def __init__(self, code: str, status: int, description: str = "") -> None:
        self.code = shorten(code.lower(), 64)
        self.status = status
        self.description = shorten(description, _MAX_DESCRIPTION)
        super().__init__(f"{self.code} (HTTP {status}): {self.description}")


class TooLarge(BitrixError):
    """An answer, or the answer to one command of a batch, is larger than any honest one; request
    less at once.
    """

    def __init__(self, status: int = 200) -> None:
        super().__init__(TOO_LARGE, status, "larger than any honest answer")


class Unreachable(BitrixFailure):
    """No readable answer came: no connection, a time-out, malformed text. The caller may ask again."""

    code = "unreachable"

    def __init__(self, reason: str, status: int | None = None) -> None:
        self.reason = reason
        self.status = status
        super().__init__(reason)


class NotSent(Unreachable):
    """No connection was made, so the server did nothing."""


class AddressRefused(BitrixFailure):
    """The address may not be contacted; `message` gives the reason and the setting that would allow it."""

    code = "address_refused"

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


def shorten(text: str, length: int) -> str:
    """The text on one line, at most `length` characters, with possible tokens and phone numbers hidden."""
    return _CONTROL.sub(" ", _TELLING.sub("…", text[: 4 * length]))[:length]
