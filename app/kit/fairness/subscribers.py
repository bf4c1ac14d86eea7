"""The owners of an address, as limits count them. One subscriber has a whole /64 of IPv6; an attacker may
have a network of a hoster, or many such networks.
"""

from ipaddress import ip_address, ip_network

# The prefixes of one subscriber, of one organisation, and of a provider, which sells networks to anybody.
SUBSCRIBER_BITS = {4: 32, 6: 64}
NETWORK_BITS = {4: 24, 6: 48}
PROVIDER_BITS = {4: 16, 6: 32}


def find_subscriber(source: str) -> str:
    """The prefix within which one subscriber can change the address at will."""
    return _find_prefix(source, SUBSCRIBER_BITS)


def find_network(source: str) -> str:
    """The prefix of a network: its addresses may be those of colleagues, or the machines of one attacker."""
    return _find_prefix(source, NETWORK_BITS)


def find_provider(source: str) -> str:
    """The prefix of a provider: an attacker can have any number of the networks in it."""
    return _find_prefix(source, PROVIDER_BITS)


def _find_prefix(source: str, bits: dict[int, int]) -> str:
    try:
        address = ip_address(source)
    except ValueError:
        return source  # A socket without an address counts as a subscriber of its own.
    return str(ip_network((address.packed, bits[address.version]), strict=False))
