"""Whose an address is, as limits count it: one subscriber has a whole /64 of IPv6, an attacker a network."""

from ipaddress import ip_address, ip_network

# IPv4 and IPv6: what one subscriber is given, and what one organisation or hoster is given.
SUBSCRIBER_BITS = {4: 32, 6: 64}
NETWORK_BITS = {4: 24, 6: 48}


def find_subscriber(source: str) -> str:
    """The addresses that one subscriber changes between at will."""
    return _find_prefix(source, SUBSCRIBER_BITS)


def find_network(source: str) -> str:
    """The neighbourhood of an address: colleagues and, just as well, the machines of one attacker."""
    return _find_prefix(source, NETWORK_BITS)


def _find_prefix(source: str, bits: dict[int, int]) -> str:
    try:
        address = ip_address(source)
    except ValueError:
        return source  # A socket without an address: one source of its own.
    return str(ip_network((address.packed, bits[address.version]), strict=False))
