"""A portal with one recorded call, the tab of its administrator, and a server of recordings."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.recordings import make_recording
from tests.patience import wait_until
from tests.running import Callbook
from tests.web.browsing import Tab
from tests.web.recording_server import Exchange, Source

WHOLE = make_recording()
CRM = ("telephony", "placement", "user_brief", "crm")


@dataclass(frozen=True)
class Studio:
    """A portal with one recorded call, and the tab of its administrator."""

    callbook: Callbook
    portal: StandInPortal
    tab: Tab
    call_id: str
    row_id: int

    def change(self, **fields: Any) -> None:
        self.portal.change_row(self.row_id, **fields)

    async def link(self, tab: Tab | None = None, **parameters: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {(tab or self.tab).token}"}
        path = f"/api/v1/calls/{self.call_id}/recording"
        return await self.callbook.client.post(path, headers=headers, params=parameters)

    async def play(self, asked: str | None = None, method: str = "GET") -> httpx.Response:
        url = (await self.link()).json()["url"]
        headers = {"Range": asked} if asked else {}
        return await self.callbook.client.request(method, url, headers=headers)


def settle_kind(studio: Studio, kind: str) -> None:
    """Put the recording at an address, at the CRM activity, or only on the Drive."""
    if kind != "url":
        studio.change(record_url="", record_file_id=501)
        studio.portal.installation.scope = [*CRM, *(["disk"] if kind == "drive" else [])]
    if kind == "drive":
        studio.change(crm_activity_id=None)


async def lead_to(studio: Studio, source: Source, behave: Any) -> str:
    source.behave = behave
    studio.change(record_url=source.url)
    url: str = (await studio.link()).json()["url"]
    return url


async def untold(exchange: Exchange) -> None:
    """A server that tells no length and knows no ranges."""
    await exchange.answer("200 OK", WHOLE, Content_Type="audio/mpeg")


async def told(exchange: Exchange) -> None:
    """A server that tells the length and knows no ranges."""
    await exchange.answer("200 OK", WHOLE, Content_Type="audio/mpeg", Content_Length=str(len(WHOLE)))


def drip_after(size: int) -> Any:
    """A server that sends so much at once, and the rest byte by byte as long as the client reads."""

    async def behave(exchange: Exchange) -> None:
        await exchange.answer("200 OK", WHOLE[:size], **told_length(10**6))
        await drip(exchange)

    return behave


async def drip(exchange: Exchange) -> None:
    """Byte by byte, for as long as somebody listens."""
    while not exchange.writer.is_closing():
        exchange.writer.write(b"x")
        await exchange.writer.drain()
        await asyncio.sleep(0)


def told_length(length: int) -> dict[str, str]:
    """The head of an answer of audio that tells its length."""
    return {"Content_Type": "audio/mpeg", "Content_Length": str(length)}


async def until_free(studio: Studio) -> None:
    """No recording is played any more."""
    await wait_until(lambda: not studio.callbook.parts.audio_places.count)
