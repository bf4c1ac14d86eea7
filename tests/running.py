"""Callbook as tests run it: the real application over real HTTP, beside the stand-in, with a clock that the
test sets.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import httpx
from litestar import Litestar

from app.asgi import create_app
from app.demo.core.listener import listen
from app.demo.stand_in import StandIn
from app.kit.clock import Clock
from app.kit.crypto import Keyring
from app.kit.fairness.budget import Limits
from app.portals.settings.quotas import USUAL, Quotas
from app.settings import PRIVATE_NETWORKS, Settings
from app.wiring import Parts
from tests.databases import KEYS
from tests.ports import free_port

CLIENT_ID = "app.callbook.1"
CLIENT_SECRET = "the-client-secret"


class FakeClock:
    def __init__(self, now: int = 1_795_000_000) -> None:
        self.at = now

    def now(self) -> int:
        return self.at

    def advance(self, seconds: int) -> None:
        self.at += seconds


@dataclass(frozen=True)
class Callbook:
    """A running Callbook."""

    url: str
    app: Litestar
    client: httpx.AsyncClient

    @property
    def parts(self) -> Parts:
        parts: Parts = self.app.state.parts
        return parts

    async def settle(self) -> None:
        """Wait until background work has ended."""
        await self.parts.background.drain(30)

    async def run_sql(self, sql: str, *args: object) -> list[dict[str, Any]]:
        return await self.parts.database.run(sql, *args)


def limit_questions(most: int, *, of_group: int | None = None, installations: int = 10) -> Limits:
    """So many questions of each kind a minute."""
    return Limits(
        questions_of_strangers=most,
        questions_about_known=most,
        questions_of_proven=most,
        questions_per_group=most if of_group is None else of_group,
        installations_per_member=installations,
    )


def make_settings(database_url: str, stand_in: StandIn, app_url: str, **changes: Any) -> Settings:
    fields: dict[str, Any] = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "app_url": app_url,
        "keyring": Keyring.parse(KEYS),
        "database_url": database_url,
        "oauth_servers": (stand_in.oauth_origin,),
        "is_http_portal_allowed": True,
        "private_portals": PRIVATE_NETWORKS,
        "trusted_proxies": (ip_network("127.0.0.1"),),
    }
    return Settings(**(fields | changes))


@asynccontextmanager
async def run_callbook(
    database_url: str,
    stand_in: StandIn,
    clock: Clock,
    limits: Limits | None = None,
    *,
    quotas: Quotas = USUAL,
    rate_clock: Clock | None = None,
    **changes: Any,
) -> AsyncIterator[Callbook]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    stand_in.app_url = url
    settings = make_settings(database_url, stand_in, url, **changes)
    app = create_app(settings, clock=clock, limits=limits, quotas=quotas, rate_clock=rate_clock)
    async with hold_lifespan(app), httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        listener = await listen(app, port)
        try:
            yield Callbook(url, app, client)
        finally:
            await listener.stop()


@asynccontextmanager
async def hold_lifespan(app: Litestar) -> AsyncIterator[None]:
    """The application's lifespan in a task of its own, as a server has it: fixtures begin and end in two
    tasks.
    """
    started, ending = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await ending.wait()

    task = asyncio.create_task(live())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if started.is_set():
            yield
    finally:
        ending.set()
        await task
