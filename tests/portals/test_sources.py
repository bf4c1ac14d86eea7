import pytest

from app.portals.sources import find_network, find_subscriber


@pytest.mark.parametrize(
    ("source", "subscriber", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("unknown", "unknown", "unknown"),
        ("", "", ""),
    ],
)
def test_sources_are_counted_by_subscriber_and_by_network(source: str, subscriber: str, network: str) -> None:
    assert (find_subscriber(source), find_network(source)) == (subscriber, network)
