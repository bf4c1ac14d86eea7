"""The offers of ONAPPINSTALL and ONAPPUPDATE: a pair and an application token, not proven yet.

Documentation: api-reference/common/events/on-app-install.md, api-reference/common/events/on-app-update.md.
"""

from collections.abc import Awaitable, Callable

import msgspec

from app.bitrix24.incoming.payloads import Event, is_token
from app.kit.messages.errors import Forbidden

# Of an offer before it is sealed. An offer of Bitrix24, with tokens of 70 characters, has a quarter of this.
MOST_BYTES = 2_048
MOST_OF_LANGUAGE = 16
# Whether the installation is still wanted; False if the portal was forgotten.
IsWanted = Callable[[], Awaitable[bool]]


class Offer(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"client_address": "source"},
):
    """The parts of an event that an installation needs. Its repr shows no token.

    `expires_at` is Unix seconds by our clock, counted from the receipt; `pair_bought_at` is when a new pair
    was last bought for the offer, or may have been. The sealed JSON says `source` for the client's address.
    """

    member_id: str
    access_token: str
    refresh_token: str
    application_token: str
    server_endpoint: str | None
    language: str
    client_address: str
    expires_at: int
    pair_bought_at: int = 0

    def __repr__(self) -> str:
        """Portal only: a repr may reach a log."""
        return f"Offer(member_id={self.member_id!r})"


def read_offer(event: Event, client_address: str, now: int) -> Offer:
    """The offer of an event from this address; raises Forbidden if the event can prove nothing."""
    tokens = event.install
    if tokens is None or not event.member_id or not is_token(tokens.access_token):
        raise _proves_nothing()
    if not event.application_token:
        raise _proves_nothing()
    offer = Offer(
        member_id=event.member_id,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        application_token=event.application_token,
        server_endpoint=event.server_endpoint,
        language=event.read_text("LANGUAGE_ID")[:MOST_OF_LANGUAGE],
        client_address=client_address,
        expires_at=now + tokens.expires_in,
    )
    if len(msgspec.json.encode(offer)) > MOST_BYTES:
        raise _proves_nothing()
    return offer


def _proves_nothing() -> Forbidden:
    return Forbidden("The event has no tokens, so it proves nothing.", code="invalid_application_token")
