"""Offers as they are sealed: an installation that waits is read by the next release too."""

import msgspec

from app.portals.entrance.offers import Offer

SEALED = (
    b'{"member_id":"one","access_token":"a","refresh_token":"r","application_token":"t","server_endpoint":null,'
    b'"language":"en","source":"192.0.2.1","expires_at":5,"pair_bought_at":0}'
)


def test_the_sealed_names_stay() -> None:
    offer = msgspec.json.decode(SEALED, type=Offer)
    assert offer.client_address == "192.0.2.1"
    assert msgspec.json.encode(offer) == SEALED
