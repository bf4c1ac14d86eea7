"""Which addresses are contacted, judged before and at the connection."""

import asyncio
from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import httpcore
import httpx
import pytest

from app.bitrix24.errors import AddressRefused, TooLarge, Unreachable
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.host_names import NameServers, PortalNames
from app.bitrix24.transport.network import GuardedBackend, open_http_client
from app.bitrix24.transport.transfer import Reply, transfer
from app.settings import PRIVATE_NETWORKS

CLOSED = AddressPolicy(["https://oauth.bitrix.info"], allow_http=False)
ON_PREMISE = AddressPolicy(["https://oauth.bitrix.info"], allow_http=True, private=PRIVATE_NETWORKS)
PUBLIC = "203.0.114.7"

UNSPECIFIED = "0.0.0.0"  # noqa: S104  An address to refuse, not one to listen on.
PRIVATE = [
    "10.0.0.1",
    "172.16.9.9",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "::1",
    "fd12::1",
    "::ffff:10.0.0.1",
]
NEVER = [
    *(
        UNSPECIFIED,
        "169.254.169.254",
        "169.254.1.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "240.0.0.1",
    ),
    *("192.0.0.8", "192.0.2.1", "198.18.0.1", "192.88.99.1", "100.100.100.200"),
    *("168.63.129.16", "fd20:ce::254", "::ffff:168.63.129.16"),
    *("::", "fe80::1", "ff02::1", "fec0::1", "2001:db8::1", "2001::1", "fd00:ec2::254", "::7f00:1", "100::1"),
    *("::ffff:169.254.169.254", "::ffff:0.0.0.0", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1::7f00:1"),
    *("2002:a9fe:a9fe::1", "2002:7f00:1::1"),
]


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER, "64:ff9b::7f00:1", "64:ff9b::a00:1"])
def test_portals_are_on_the_public_internet(address: str) -> None:
    assert not CLOSED.admits(ip_address(address))


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2a00:1450:4001::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_admitted(address: str) -> None:
    assert CLOSED.admits(ip_address(address))


def test_the_setting_admits_private_networks_but_never_metadata() -> None:
    assert all(ON_PREMISE.admits(ip_address(address)) for address in PRIVATE)
    assert not any(ON_PREMISE.admits(ip_address(address)) for address in NEVER)


def test_listed_networks_are_admitted_and_no_others() -> None:
    networks = tuple(map(ip_network, ("10.1.0.0/16", "100.64.0.0/10", "fd00::/8")))
    policy = AddressPolicy([], allow_http=True, private=networks)
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "100.64.0.1", "fd12::1", PUBLIC):
        assert policy.admits(ip_address(address)), address
    for address in ("10.2.0.1", "127.0.0.1", "::1", "192.168.1.1", "fc00::1", *NEVER):
        assert not policy.admits(ip_address(address)), address


@pytest.mark.parametrize(
    ("sent", "root"),
    [
        ("https://Portal.Bitrix24.com/rest/", "https://portal.bitrix24.com/rest/"),
        ("https://portal.bitrix24.com", "https://portal.bitrix24.com/rest/"),
        ("https://portal.bitrix24.com:443/rest", "https://portal.bitrix24.com/rest/"),
        ("https://crm.example.org:8443/rest/", "https://crm.example.org:8443/rest/"),
        ("https://портал.рф/rest/", "https://xn--80ayfd3af.xn--p1ai/rest/"),
        ("https://8.8.8.8/rest/", "https://8.8.8.8/rest/"),
        ("https://[2a00:1450:4001::1]:444/rest/", "https://[2a00:1450:4001::1]:444/rest/"),
    ],
)
def test_a_portal_is_known_by_its_rest_root(sent: str, root: str) -> None:
    if "рф" in sent:
        assert CLOSED.check_portal(sent).isascii()
    else:
        assert CLOSED.check_portal(sent) == root


@pytest.mark.parametrize(
    "url",
    [
        "",
        "portal.bitrix24.com",
        "http://portal.bitrix24.com/rest/",
        "ftp://portal.bitrix24.com/rest/",
        "file:///etc/passwd",
        "https://user:pw@portal.bitrix24.com/rest/",
        "https://portal.bitrix24.com/rest/1/code/",
        "https://portal.bitrix24.com/rest/?x=1",
        "https://portal.bitrix24.com/rest/#x",
        "https://portal.bitrix24.com:0/rest/",
        "https://portal.bitrix24.com:99999/rest/",
        "https:///rest/",
        "https://[::1]/rest/",
        "https://127.0.0.1/rest/",
        "https://169.254.169.254/rest/",
        "https://2130706433/rest/",
        "https://0177.0.0.1/rest/",
        "https://0x7f.1/rest/",
        "https://0x7f000001/rest/",
        "https://127.1/rest/",
        "https://1.2.3.4.5/rest/",
        "https://a b/rest/",
        "https://a\x00b/rest/",
        "https://-a.example/rest/",
        "https://" + "a." * 130 + "com/rest/",
    ],
)
def test_what_is_no_public_portal_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        CLOSED.check_portal(url)


def test_http_and_loopback_need_their_settings() -> None:
    assert ON_PREMISE.check_portal("http://127.0.0.1:8080/rest/") == "http://127.0.0.1:8080/rest/"
    with pytest.raises(AddressRefused, match="B24_ALLOW_PRIVATE_PORTALS"):
        CLOSED.check_portal("https://127.0.0.1/rest/")
    with pytest.raises(AddressRefused, match="B24_ALLOW_HTTP_PORTALS"):
        CLOSED.check_portal("http://8.8.8.8/rest/")


def test_only_listed_authorization_servers_are_trusted() -> None:
    policy = AddressPolicy(["https://oauth.bitrix.info", "http://127.0.0.1:9000"], allow_http=False)
    assert policy.check_oauth(None) == "https://oauth.bitrix.info"
    assert policy.check_oauth("https://OAuth.bitrix.info:443/rest/") == "https://oauth.bitrix.info"
    assert policy.check_oauth("http://127.0.0.1:9000/rest/") == "http://127.0.0.1:9000"
    for url in (
        "http://oauth.bitrix.info/rest/",
        "https://oauth.bitrix.info:444/rest/",
        "https://oauth.bitrix.info.evil.example/rest/",
        "https://oauth.bitrix.info@evil.example/rest/",
        "http://127.0.0.1:9001/rest/",
        "",
    ):
        with pytest.raises(AddressRefused):
            policy.check_oauth(url)


class NotingBackend(httpcore.AsyncNetworkBackend):
    """Notes the address of each connection and refuses it, unless a mock stream is asked for."""

    def __init__(self, refusing: Sequence[str] = ()) -> None:
        self.contacted: list[str] = []
        self.refusing = refusing

    async def connect_tcp(
        self, host: str, port: int, *args: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        self.contacted.append(host)
        if host in self.refusing:
            raise httpcore.ConnectError
        return httpcore.AsyncMockStream([])


def guard(
    policy: AddressPolicy, inner: NotingBackend, *answers: Iterable[str], purpose: Any = "portals"
) -> Any:
    remaining = iter(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return list(next(remaining))

    return GuardedBackend(policy, purpose, PortalNames(resolve), inner)


async def test_the_checked_address_is_the_one_contacted() -> None:
    inner = NotingBackend()
    backend = guard(CLOSED, inner, [PUBLIC], ["127.0.0.1"])
    await backend.connect_tcp("portal.example", 443)
    assert inner.contacted == [PUBLIC]
    with pytest.raises(AddressRefused):
        await backend.connect_tcp("portal.example", 443)
    assert inner.contacted == [PUBLIC]


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER, "fe80::1%eth0"])
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    inner = NotingBackend()
    for addresses in ([address], [PUBLIC, address]):
        with pytest.raises(AddressRefused):
            await guard(CLOSED, inner, addresses).connect_tcp("portal.example", 443)
    assert inner.contacted == []


async def test_the_next_address_is_tried_when_one_is_silent() -> None:
    inner = NotingBackend(refusing=["2a00:1450:4001::1"])
    await guard(CLOSED, inner, ["2a00:1450:4001::1", PUBLIC]).connect_tcp("portal.example", 443)
    assert inner.contacted == ["2a00:1450:4001::1", PUBLIC]
    inner = NotingBackend(refusing=[PUBLIC])
    with pytest.raises(httpcore.ConnectError):
        await guard(CLOSED, inner, [PUBLIC]).connect_tcp("portal.example", 443)


async def test_the_real_resolver_knows_this_machine_and_takes_no_number_for_it() -> None:
    """Some resolvers read 2130706433 as 127.0.0.1; for this machine's it is a name that does not exist."""
    inner = NotingBackend()
    name_servers = NameServers(["127.0.0.1:1"])
    backend = GuardedBackend(CLOSED, "portals", PortalNames(name_servers.resolve), inner)
    for host in ("localhost", "127.0.0.1", "::1"):
        with pytest.raises(AddressRefused):
            await backend.connect_tcp(host, 443)
    for host in ("2130706433", "0x7f.1"):
        with pytest.raises(httpcore.ConnectError):
            await backend.connect_tcp(host, 443)
    await name_servers.close()
    assert inner.contacted == []


async def test_a_name_that_cannot_be_resolved_is_a_failed_connection() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError(host)

    async def resolve_never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(httpcore.ConnectError):
        await GuardedBackend(CLOSED, "portals", PortalNames(resolve)).connect_tcp("portal.example", 443)
    with pytest.raises(httpcore.ConnectError):
        await guard(CLOSED, NotingBackend(), []).connect_tcp("portal.example", 443)
    backend = GuardedBackend(CLOSED, "portals", PortalNames(resolve_never))
    with pytest.raises(httpcore.ConnectTimeout):
        await backend.connect_tcp("portal.example", 443, timeout=0)


async def test_listed_servers_are_contacted_wherever_they_are_and_only_they() -> None:
    policy = AddressPolicy(["http://localhost:9000"], allow_http=False)
    inner = NotingBackend()
    await guard(policy, inner, ["127.0.0.1"], purpose="oauth").connect_tcp("localhost", 9000)
    assert inner.contacted == ["127.0.0.1"]
    for host, port in (("localhost", 9001), ("127.0.0.1", 9000), ("portal.example", 9000)):
        with pytest.raises(AddressRefused):
            await guard(policy, inner, [PUBLIC], purpose="oauth").connect_tcp(host, port)
    assert inner.contacted == ["127.0.0.1"]


async def get(http: httpx.AsyncClient, url: str, limit: int = 100, total_s: float = 5) -> Reply:
    return await transfer(http, http.build_request("GET", url), limit=limit, total_s=total_s)


async def test_a_portal_that_claims_the_authorization_servers_address_is_refused(server: Any) -> None:
    policy = AddressPolicy([server.origin], allow_http=True)
    async with open_http_client(policy, "oauth") as oauth, open_http_client(policy, "portals") as portals:
        assert (await get(oauth, server.origin)).status == 200
        with pytest.raises(AddressRefused):
            await get(portals, server.origin)
        with pytest.raises(AddressRefused):
            policy.check_portal(server.rest)
    assert len(server.requests) == 1


async def test_the_host_name_is_kept_while_the_checked_address_is_contacted(server: Any) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with open_http_client(ON_PREMISE, "portals", names=PortalNames(resolve)) as http:
        await get(http, f"http://portal.example:{server.port}/rest/")
    assert server.requests[0].headers["host"] == f"portal.example:{server.port}"


async def test_the_environment_sends_nothing_through_a_proxy(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with open_http_client(ON_PREMISE, "portals") as http:
        assert (await get(http, server.origin)).status == 200


async def test_answers_are_bounded_and_nothing_of_them_is_kept(server: Any, portals_http: Any) -> None:
    reply_type = server.reply
    server.handler = lambda _: reply_type(body=b"x" * 101, set_cookie="a=b")
    with pytest.raises(TooLarge):
        await get(portals_http, server.origin)
    server.handler = lambda _: reply_type(body=b"x" * 100, content_encoding="gzip")
    with pytest.raises(Unreachable, match="compressed"):
        await get(portals_http, server.origin)
    server.handler = lambda _: reply_type(
        body=b"x", location="http://127.0.0.1:1/", status=302, set_cookie="a=b"
    )
    assert (await get(portals_http, server.origin)).status == 302
    assert not portals_http.cookies
    with pytest.raises(Unreachable, match="in time"):
        await get(portals_http, server.origin, total_s=0)
