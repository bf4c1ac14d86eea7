"""Servers that never answer hold the connections of their own portals, and leave those of others free."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from app.bitrix24.errors import Unreachable
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.network import MAX_OF_A_PORTAL, on_behalf_of, open_http_client
from app.bitrix24.transport.transfer import Reply, transfer
from app.settings import PRIVATE_NETWORKS
from tests.bitrix24.conftest import TLS, LocalServer

POLICY = AddressPolicy([], allow_http=True, private=PRIVATE_NETWORKS)
ENOUGH_S = 60.0


class SilentServer:
    """Takes every connection and says nothing, as in a TLS handshake that never ends."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    def handle(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self.handle, "127.0.0.1", 0, backlog=1_000)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()


@pytest.fixture
async def silent() -> AsyncIterator[SilentServer]:
    server = SilentServer()
    async with server.serve():
        yield server


async def get(http: httpx.AsyncClient, portal: str, url: str, total_s: float = ENOUGH_S) -> Reply:
    with on_behalf_of(portal):
        return await transfer(http, http.build_request("GET", url), limit=100, total_s=total_s)


@pytest.mark.parametrize("portals", [1, 8])
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_an_honest_portal_is_asked_beside_portals_that_never_answer(
    server: LocalServer, silent: SilentServer, portals: int, scheme: str
) -> None:
    async with open_http_client(POLICY, "portals", tls=TLS) as http:
        url = f"{scheme}://127.0.0.1:{silent.port}/"
        askers = [f"hostile {number % portals}" for number in range(320)]
        hostile = [asyncio.ensure_future(get(http, asker, url)) for asker in askers]
        for _ in range(20):
            assert (await get(http, "honest", server.rest)).status == 200
        assert not any(task.done() for task in hostile)
        assert silent.connections <= MAX_OF_A_PORTAL * portals
        for task in hostile:
            task.cancel()
        await asyncio.wait(hostile)
        assert (await get(http, "hostile 0", server.rest)).status == 200


async def test_a_handshake_that_never_ends_is_ended(silent: SilentServer) -> None:
    async with open_http_client(POLICY, "portals", tls=TLS) as http:
        with pytest.raises(Unreachable, match="in time"):
            await get(http, "hostile", f"https://127.0.0.1:{silent.port}/", total_s=0.2)
        assert silent.connections == 1
