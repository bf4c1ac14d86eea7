"""Which addresses may be contacted. Pure; `network` applies it to every connection.

Documentation: settings/cloud-and-on-premise/network-access.md; RFC 6890 for addresses outside the Internet.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

import httpx

from app.bitrix24.errors import AddressRefused
from app.settings import Network

Address: TypeAlias = IPv4Address | IPv6Address
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_HOST_LENGTH = 253
_MAX_PORT = 65535
_REST_PATHS = frozenset({"", "/", "/rest", "/rest/"})
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_NEVER_GLOBAL = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv6Network("2001::/23"))
# The metadata addresses of Alibaba, Azure, AWS and GCP. The usual one, 169.254.169.254, is link-local, which
# no setting admits; Azure's 168.63.129.16 is a public address by its number.
_CLOUD_METADATA = frozenset(
    {
        *(IPv4Address("100.100.100.200"), IPv4Address("168.63.129.16")),
        *(IPv6Address("fd00:ec2::254"), IPv6Address("fd20:ce::254")),
    }
)


class AddressPolicy:
    """Decides which portals and authorization servers may be contacted.

    `oauth_servers` are origins, `scheme://host[:port]`; an origin that the operator lists is trusted, even
    with http or a loopback address. A portal needs https unless `allow_http`, and an address that is public
    or in one of the `private` networks. The metadata addresses of clouds are refused everywhere.
    """

    def __init__(
        self, oauth_servers: Iterable[str], *, allow_http: bool, private: Sequence[Network] = ()
    ) -> None:
        self.oauth_servers = tuple(_origin(_parse(server)) for server in oauth_servers)
        self.allow_http = allow_http
        self.private = private
        self._oauth_endpoints = frozenset(
            (url.raw_host.decode().strip("[]"), url.port or _DEFAULT_PORTS[url.scheme])
            for url in map(_parse, self.oauth_servers)
        )

    def check_oauth(self, endpoint: str | None) -> str:
        """The listed origin of this endpoint, as `scheme://host[:port]`; the first listed one for None.

        Raises AddressRefused for an unlisted one, because `client_secret` goes to listed servers only.
        """
        if endpoint is None:
            return self.oauth_servers[0]
        origin = _origin(_parse(endpoint))
        if origin not in self.oauth_servers:
            raise AddressRefused(
                "This authorization server is not listed. If it is Bitrix24's own, "
                "add it to B24_OAUTH_SERVERS."
            )
        return origin

    def is_oauth_endpoint(self, host: str, port: int) -> bool:
        """Whether this host and port belong to a listed authorization server."""
        return (host, port) in self._oauth_endpoints

    def check_portal(self, url: str) -> str:
        """The portal's REST root, `https://HOST[:port]/rest/`; raises AddressRefused.

        The addresses of a host name are judged only when a connection is made.
        """
        parsed = _parse(url)
        if parsed.path not in _REST_PATHS or parsed.query:
            raise AddressRefused("The portal's address does not end in /rest/. Check its public address.")
        if parsed.scheme == "http" and not self.allow_http:
            raise AddressRefused(
                "The portal's address is http. Give the portal a certificate, "
                "or set B24_ALLOW_HTTP_PORTALS=1."
            )
        literal = _literal(parsed.raw_host.decode())
        if literal is not None and not self.admits(literal):
            raise refused_address()
        return f"{_origin(parsed)}/rest/"

    def check_file(self, url: str) -> str:
        """The address of a file that a portal names, on any host; raises AddressRefused as for portals.

        The addresses of a host name are judged only when a connection is made.
        """
        parsed = _parse(url)
        if parsed.scheme == "http" and not self.allow_http:
            raise AddressRefused("The file's address is http. Bitrix24 must serve files by https.")
        literal = _literal(parsed.raw_host.decode())
        if literal is not None and not self.admits(literal):
            raise refused_address()
        return str(parsed)

    def admits(self, address: Address) -> bool:
        """Whether a portal may have this address."""
        address = _without_mapping(address)
        if address in _CLOUD_METADATA:
            return False
        if is_public(address):
            return True
        return any(address in network for network in self.private)


def refused_address() -> AddressRefused:
    """The refusal of an address that is not on the public Internet."""
    return AddressRefused(
        "The portal's address is private or reserved. If the portal is in your own network, "
        "set B24_ALLOW_PRIVATE_PORTALS to that network."
    )


def is_public(address: Address) -> bool:
    """Whether the address is on the public Internet; one that contains an IPv4 address is judged by that."""
    address = _without_mapping(address)
    if any(address in network for network in _NEVER_GLOBAL):
        return False
    if isinstance(address, IPv6Address):
        if address.sixtofour is not None:
            return is_public(address.sixtofour)
        if address not in _GLOBAL_IPV6:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _without_mapping(address: Address) -> Address:
    """The IPv4 address that `::ffff:a.b.c.d` or a translator's `64:ff9b::a.b.c.d` contains; any other
    address as it is.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        raise AddressRefused(
            "The address cannot be read. Check that it is like https://example.com."
        ) from None
    host = parsed.raw_host.decode()
    if parsed.scheme not in _DEFAULT_PORTS or parsed.userinfo or parsed.fragment:
        raise AddressRefused("The address is not a plain web address like https://example.com.")
    if parsed.port is not None and not 0 < parsed.port <= _MAX_PORT:
        raise AddressRefused("The address has no valid port. Check that it is like https://example.com.")
    if _literal(host) is None and not _is_host_name(host):
        raise AddressRefused("The address names no valid host. Check that it is like https://example.com.")
    return parsed


def _is_host_name(host: str) -> bool:
    """Whether the text is a host name. A name whose last label is a number counts as no host name, because
    some resolvers read it as an IPv4 address (0x7f.1, 2130706433).
    """
    if not _HOST_NAME.fullmatch(host) or len(host) > _MAX_HOST_LENGTH:
        return False
    return not _NUMERIC_LABEL.fullmatch(host.rsplit(".", 1)[-1])


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _origin(url: httpx.URL) -> str:
    host = url.raw_host.decode()
    if ":" in host:
        host = f"[{host.strip('[]')}]"
    port = f":{url.port}" if url.port is not None else ""
    return f"{url.scheme}://{host}{port}"
