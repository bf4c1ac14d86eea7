"""The address that a request comes from. `X-Forwarded-For`, which any client can write, counts only from the
vendor's own proxies.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from litestar.connection import ASGIConnection

from app.settings import Network

UNKNOWN = "unknown"


def read_client_address(connection: ASGIConnection, trusted_proxies: tuple[Network, ...]) -> str:  # type: ignore[type-arg]
    """The client's address: the peer's, or behind trusted proxies the rightmost one that is no proxy's."""
    peer = connection.client.host if connection.client else UNKNOWN
    forwarded = connection.headers.getall("x-forwarded-for", [])
    return find_client_address(peer, ",".join(forwarded), trusted_proxies)


def find_client_address(peer: str, forwarded: str, trusted_proxies: tuple[Network, ...]) -> str:
    """Walk from the peer back to the first address that is no trusted proxy's, and return it; pure."""
    address = peer
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    while hops and _is_trusted(address, trusted_proxies):
        named = _parse(hops.pop())
        if named is None:
            break
        address = str(named)
    return address


def _is_trusted(address: str, trusted_proxies: tuple[Network, ...]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in trusted_proxies)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    if text.startswith("["):  # [2001:db8::1]:443
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 192.0.2.1:443
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
