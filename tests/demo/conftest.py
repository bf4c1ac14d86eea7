"""A stand-in on free ports with a clock that the test sets, and a client that follows no redirects."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.demo.stand_in import StandIn

SECRET = "the-client-secret"


class HandClock:
    def __init__(self, now: int) -> None:
        self.at = now

    def now(self) -> int:
        return self.at

    def advance(self, seconds: int) -> None:
        self.at += seconds


class Bitrix:
    """Short forms for the requests of a client of the vendor."""

    def __init__(self, stand_in: StandIn, http: httpx.AsyncClient) -> None:
        self.stand_in = stand_in
        self.http = http
        self.portal = stand_in.portals[0]

    async def app_info(self, token: str) -> httpx.Response:
        return await self.http.get(f"{self.stand_in.oauth_origin}/rest/app.info/", params={"auth": token})

    async def refresh(self, refresh_token: str, **changes: str) -> httpx.Response:
        fields = {
            "grant_type": "refresh_token",
            "client_id": self.stand_in.client_id,
            "client_secret": SECRET,
            "refresh_token": refresh_token,
        }
        return await self.http.post(f"{self.stand_in.oauth_origin}/oauth/token/", data=fields | changes)

    async def call(
        self, method: str, parameters: dict[str, object] | None = None, token: str | None = None
    ) -> httpx.Response:
        auth = token or self.portal.issue_pair().access_token
        body = {**(parameters or {}), "auth": auth}
        return await self.http.post(f"{self.portal.client_endpoint}{method}", json=body)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1_800_000_000)


@pytest.fixture
async def stand_in(clock: HandClock) -> AsyncIterator[StandIn]:
    async with StandIn.serve(portals=2, client_secret=SECRET, clock=clock) as served:
        yield served


@pytest.fixture
async def bitrix(stand_in: StandIn) -> AsyncIterator[Bitrix]:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        yield Bitrix(stand_in, http)
