"""Whose an address is, as limits count it: one subscriber has a whole /64 of IPv6, an attacker a network
of a hoster, or many of them.
"""

from ipaddress import ip_address, ip_network

# What one subscriber is given, one organisation, and a provider, who gives networks to whoever pays.
SUBSCRIBER_BITS = {4: 32, 6: 64}
NETWORK_BITS = {4: 24, 6: 48}
PROVIDER_BITS = {4: 16, 6: 32}


def find_subscriber(source: str) -> str:
    """The addresses that one subscriber changes between at will."""
    return _find_prefix(source, SUBSCRIBER_BITS)


def find_network(source: str) -> str:
    """The neighbourhood of an address: colleagues and, just as well, the machines of one attacker."""
    return _find_prefix(source, NETWORK_BITS)


def find_provider(source: str) -> str:
    """The networks of which an attacker may have as many as they like."""
    return _find_prefix(source, PROVIDER_BITS)


def _find_prefix(source: str, bits: dict[int, int]) -> str:
    try:
        address = ip_address(source)
    except ValueError:
        return source  # A socket without an address: one source of its own.
    return str(ip_network((address.packed, bits[address.version]), strict=False))
