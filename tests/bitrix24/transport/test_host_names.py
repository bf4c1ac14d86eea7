"""A name server that does not answer keeps only its own portal waiting."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiodns
import httpx
import pytest

from app.bitrix24.transport import host_names as names_module
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.host_names import (
    MAX_ADDRESSES,
    MAX_LOOKUPS,
    NameServers,
    PortalNames,
    ServerNames,
    Silent,
)
from app.bitrix24.transport.network import on_behalf_of, open_http_client
from app.settings import PRIVATE_NETWORKS
from tests.bitrix24.conftest import LocalServer
from tests.bitrix24.transport.name_server import NameServer, serve_names
from tests.patience import wait_until

PRIVATE = AddressPolicy([], allow_http=True, private=PRIVATE_NETWORKS)


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    async with serve_names() as served:
        yield served


@pytest.fixture
async def asking(name_server: NameServer) -> AsyncIterator[NameServers]:
    servers = NameServers([name_server.address])
    yield servers
    await servers.close()


@asynccontextmanager
async def portals(asking: NameServers) -> AsyncIterator[httpx.AsyncClient]:
    async with open_http_client(PRIVATE, "portals", names=PortalNames(asking.resolve)) as http:
        yield http


async def ask(http: httpx.AsyncClient, portal: str, url: str) -> int:
    with on_behalf_of(portal):
        return (await http.get(url)).status_code


async def test_a_portal_that_names_a_thousand_silent_hosts_waits_alone(
    server: LocalServer, name_server: NameServer, asking: NameServers
) -> None:
    """This also holds after the portal has given up: a look-up keeps the portal's place until it really
    ends.
    """
    async with portals(asking) as http:
        for wave in range(2):
            urls = [f"http://{number}.{wave}.silent.example/" for number in range(500)]
            hostile = [asyncio.ensure_future(ask(http, "hostile", url)) for url in urls]
            for number in range(20):
                url = f"http://{number}.{wave}.honest.example:{server.port}/"
                assert await ask(http, "honest", url) == 200
            assert not any(task.done() for task in hostile)
            for task in hostile:
                task.cancel()
            await asyncio.wait(hostile)
        silent = {name for name in name_server.asked if name.endswith("silent.example")}
        assert len(silent) == MAX_LOOKUPS


async def test_the_authorization_servers_are_found_while_portals_names_are_silent(
    server: LocalServer, name_server: NameServer, asking: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no name server answers for them either, their last addresses serve."""
    policy = AddressPolicy(
        [f"http://oauth.honest.example:{server.port}"], allow_http=True, private=PRIVATE_NETWORKS
    )
    names = ServerNames(asking.resolve)
    url = f"http://oauth.honest.example:{server.port}/rest/"
    async with open_http_client(policy, "oauth", names=names) as http, portals(asking) as to_portals:
        hostile = asyncio.ensure_future(ask(to_portals, "hostile", "http://one.silent.example/"))
        assert (await http.get(url)).status_code == 200
        asked = name_server.questions
        assert (await http.get(url, headers={"Connection": "close"})).status_code == 200
        assert (await http.get(url)).status_code == 200
        assert name_server.questions == asked
        name_server.answers = lambda _: False
        monkeypatch.setattr(names_module, "LOOKUP_S", 0.1)
        monkeypatch.setattr(names_module, "REMEMBERED_S", 0.0)
        assert await names.find("", "oauth.honest.example", server.port) == ["127.0.0.1"]
        assert name_server.questions > asked
        hostile.cancel()


async def test_a_silent_name_rests(
    name_server: NameServer, asking: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_module, "LOOKUP_S", 0.05)
    names = PortalNames(asking.resolve)
    with pytest.raises(Silent):
        await names.find("a", "silent.example", 443)
    name_server.answers = lambda _: True
    asked = name_server.questions
    with pytest.raises(Silent):
        await names.find("b", "silent.example", 443)
    assert name_server.questions == asked
    monkeypatch.setattr(names_module, "REST_S", -1.0)
    name_server.answers = lambda _: False
    with pytest.raises(Silent):
        await names.find("b", "other.silent.example", 443)
    name_server.answers = lambda _: True
    assert await names.find("c", "other.silent.example", 443) == ["127.0.0.1"]


async def test_what_rests_is_kept_within_bounds() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise Silent

    names = PortalNames(resolve)
    grown = []
    for wave in range(3):
        tracemalloc.start()
        for number in range(names_module.MAX_RESTING):
            with pytest.raises(Silent):
                await names.find("hostile", f"{'x' * 200}.{wave}.{number}.example", 443)
        grown.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    del names
    kept_bytes = names_module.MAX_RESTING * 500
    assert all(growth < kept_bytes for growth in grown)


async def test_channels_follow_each_other_and_end_with_their_last_question(
    name_server: NameServer, asking: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that lived for ever would remember every name that a portal ever made up."""
    monkeypatch.setattr(names_module, "_LOOKUPS_OF_A_CHANNEL", 3)
    waiting = asyncio.ensure_future(asking.resolve("held.silent.example", 443))
    for number in range(30):
        assert await asking.resolve(f"{number}.honest.example", 443) == ["127.0.0.1"]
    assert sum(isinstance(thing, aiodns.DNSResolver) for thing in gc.get_objects()) <= 3
    name_server.answer_all()
    assert await waiting == ["127.0.0.1"]
    await asking.resolve("last.honest.example", 443)
    del waiting
    gc.collect()
    assert sum(isinstance(thing, aiodns.DNSResolver) for thing in gc.get_objects()) <= 2


async def test_a_host_with_more_addresses_than_any_is_not_contacted() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["8.8.8.8"] * (MAX_ADDRESSES + 1)

    for names in (PortalNames(resolve), ServerNames(resolve)):
        with pytest.raises(OSError, match="too many"):
            await names.find("a", "portal.example", 443)


async def test_nothing_is_open_any_more_when_name_servers_are_closed(name_server: NameServer) -> None:
    servers = NameServers([name_server.address])
    waiting = [asyncio.ensure_future(servers.resolve(f"{n}.silent.example", 443)) for n in range(3)]
    await wait_until(lambda: len(name_server.asked) == len(waiting))
    await servers.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(error, OSError) for error in ended)
