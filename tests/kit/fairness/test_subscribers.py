import pytest

from app.kit.fairness.subscribers import find_network, find_provider, find_subscriber


@pytest.mark.parametrize(
    ("source", "subscriber", "network", "provider"),
    [
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24", "192.0.0.0/16"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32"),
        ("unknown", "unknown", "unknown", "unknown"),
        ("", "", "", ""),
    ],
)
def test_sources_are_counted_by_subscriber_network_and_provider(
    source: str, subscriber: str, network: str, provider: str
) -> None:
    found = find_subscriber(source), find_network(source), find_provider(source)
    assert found == (subscriber, network, provider)
