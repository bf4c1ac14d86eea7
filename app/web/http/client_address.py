"""The address that a request comes from. `X-Forwarded-For`, which any client can write, counts only from the
vendor's own proxies.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from litestar.connection import ASGIConnection

from app.settings import Network

UNKNOWN = "unknown"


def read_source(connection: ASGIConnection, trusted_proxies: tuple[Network, ...]) -> str:  # type: ignore[type-arg]
    """The client's address: the peer's, or behind trusted proxies the rightmost one that is no proxy's."""
    peer = connection.client.host if connection.client else UNKNOWN
    forwarded = connection.headers.getall("x-forwarded-for", [])
    return find_source(peer, ",".join(forwarded), trusted_proxies)


def find_source(peer: str, forwarded: str, trusted_proxies: tuple[Network, ...]) -> str:
    """Walk from the peer back to the first address that is no trusted proxy's, and return it; pure."""
    source = peer
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    while hops and _is_trusted(source, trusted_proxies):
        address = _parse(hops.pop())
        if address is None:
            break
        source = str(address)
    return source


def _is_trusted(source: str, trusted_proxies: tuple[Network, ...]) -> bool:
    address = _parse(source)
    return address is not None and any(address in network for network in trusted_proxies)


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
